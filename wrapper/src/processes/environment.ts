/** The environments of other processes. */
import fs from 'node:fs';

/** The environment that a process was started with; empty where it can't be read, or there is no /proc. */
export function environmentOf(pid: number): Record<string, string> {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    // EACCES: another user's. ENOENT: it has ended.
    return {};
  }
  return Object.fromEntries(
    text.split('\0').flatMap((entry) => {
      const equals = entry.indexOf('=');
      return equals < 1 ? [] : [[entry.slice(0, equals), entry.slice(equals + 1)]];
    }),
  );
}

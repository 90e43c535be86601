/** A process as part of a file name, so that who finds the file knows whether its owner lives. */
import type { ProcessRef } from '../processes/process-ref.ts';

export function processName({ bootId, pid, startTime }: ProcessRef): string {
  return [bootId, String(pid), startTime].map(encodeURIComponent).join('@');
}

/** The other way round; null when it is none. */
export function parseProcess(text: string): ProcessRef | null {
  const [boot, pid, start, ...rest] = text.split('@');
  if (boot === undefined || start === undefined || rest.length > 0 || !/^[1-9]\d*$/.test(pid ?? '')) return null;
  try {
    return { bootId: decodeURIComponent(boot), pid: Number(pid), startTime: decodeURIComponent(start) };
  } catch {
    // URIError: not a name that we gave.
    return null;
  }
}

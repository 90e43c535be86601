/** What follows `leash` on our own command line. */
import fs from 'node:fs';
import { fromBytes, isLossy } from './undecodable-bytes.ts';

/** Includes what is not UTF-8 (undecodable-bytes.ts), where the kernel shows it. */
export function ownArguments(): string[] {
  const words = process.argv.slice(2);
  if (!words.some(isLossy)) return words;
  try {
    const all = fromBytes(fs.readFileSync('/proc/self/cmdline')).split('\0').slice(0, -1);
    return all.length > words.length ? all.slice(-words.length) : words;
  } catch {
    // No /proc.
    return words;
  }
}

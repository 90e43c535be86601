/** Sends signals, and tells when. */
import type { ProcessSystem } from './process-tree.ts';

/**
 * @param target a pid, or the negative of a process group's id
 * @param signals are sent in this order
 * @returns when the first was sent; null when there was nobody who could be signalled
 */
export function sendSignals(
  target: number,
  signals: readonly NodeJS.Signals[],
  { kill, now }: Pick<ProcessSystem, 'kill' | 'now'>,
): number | null {
  let sentAt: number | null = null;
  try {
    for (const signal of signals) {
      // Before the call: what it wakes may run first on our processor.
      const at = now();
      kill(target, signal);
      sentAt ??= at;
    }
  } catch {
    // ESRCH: it has just ended. EPERM: it is another user's; it stays a member, and is reported as a survivor.
  }
  return sentAt;
}

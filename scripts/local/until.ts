/** Waiting for something to become true, by looking at it. */
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 40;

export interface UntilOptions {
  /** What is waited for, for the message when it never comes. */
  readonly what: string;
  readonly deadlineMs?: number;
}

/**
 * Waits until `look` gives anything but null, undefined or false, and returns that. The deadline is there to end a hang
 * and generous: nothing is measured with it.
 */
export async function until<Value>(
  look: () => Value | null | undefined | false | Promise<Value | null | undefined | false>,
  { what, deadlineMs = 20_000 }: UntilOptions,
): Promise<Value> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== null && value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain for ${what}`);
    await sleep(POLL_MS);
  }
}

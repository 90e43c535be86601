/**
 * Hands what the code under test logs to vitest from the test's own context, and only from there.
 *
 * A log from anywhere else (a Durable Object, a request, an alarm) can't be sent by @cloudflare/vitest-plugin, which
 * keeps it until the test itself sends something. vitest waits at the end of a file for each log to be answered: one
 * that comes after the last result is never sent, and the run never ends. 1.5.0 of the plugin sends them by itself and
 * makes this file superfluous (github.com/cloudflare/workers-sdk/issues/15719).
 */
import { afterAll, afterEach } from 'vitest';

const LEVELS = ['debug', 'info', 'log', 'warn', 'error'] as const;

const held: (() => void)[] = [];
/** Files that share a runtime share its console. */
let isHolding = false;

/** From here on logs are held, and shown with the test that ran at the time. Those that outlive the file are dropped. */
export function holdLogs(): void {
  if (!isHolding) hold();
  isHolding = true;
  held.length = 0;
  afterEach(showHeld);
  afterAll(showHeld);
}

function hold(): void {
  for (const level of LEVELS) {
    const show = console[level].bind(console);
    console[level] = (...words: unknown[]) => void held.push(() => show(...words));
  }
}

function showHeld(): void {
  for (const show of held.splice(0)) show();
}

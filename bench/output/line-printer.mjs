/**
 * Prints the time, by the system's monotonic clock in nanoseconds, once in a while, a line each.
 *
 *     node bench/output/line-printer.mjs LINES PAUSE_MS
 */
import { setTimeout as sleep } from 'node:timers/promises';

const [lines = 0, pauseMs = 0] = process.argv.slice(2).map(Number);
for (let line = 0; line < lines; line += 1) {
  await sleep(pauseMs);
  process.stdout.write(`${process.hrtime.bigint()}\n`);
}

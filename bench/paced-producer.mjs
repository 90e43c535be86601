/**
 * Prints at a steady pace and notes how long that took: it takes longer when nobody reads fast enough.
 *
 *     node bench/paced-producer.mjs BYTES_PER_SECOND SECONDS FILE
 */
import fs from 'node:fs';

const [bytesPerSecond = 0, seconds = 0] = process.argv.slice(2).map(Number);
const file = process.argv[4] ?? '';
const STEP_MS = 5;

const line = 'The quick brown fox jumps over the lazy dog, and is logged at length by all who see it.\n';
const chunk = Buffer.from(line.repeat(Math.ceil((bytesPerSecond * STEP_MS) / 1000 / line.length)));
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const total = bytesPerSecond * seconds;
const began = performance.now();
for (let printed = 0; printed < total; ) {
  const due = Math.min(total, ((performance.now() - began) / 1000) * bytesPerSecond + chunk.length);
  while (printed < due) printed += fs.writeSync(1, chunk, 0, Math.min(chunk.length, Math.ceil(due - printed)));
  Atomics.wait(sleeper, 0, 0, STEP_MS);
}
fs.writeFileSync(file, String((performance.now() - began) / 1000));

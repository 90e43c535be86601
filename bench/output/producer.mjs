/**
 * Prints at a steady pace or as fast as it is read, and notes when it began, by the wall clock, and how long it took: longer
 * when it is not read fast enough.
 *
 *     node bench/output/producer.mjs BYTES BYTES_PER_SECOND|Infinity FILE
 */
import fs from 'node:fs';

const [total = 0, bytesPerSecond = 0] = process.argv.slice(2).map(Number);
const file = process.argv[4] ?? '';
const STEP_MS = 5;
const LARGEST_CHUNK_BYTES = 64 * 1024;

const line = 'The quick brown fox jumps over the lazy dog, and is logged at length by all who see it.\n';
const chunkBytes = Math.min(LARGEST_CHUNK_BYTES, (bytesPerSecond * STEP_MS) / 1000);
const chunk = Buffer.from(line.repeat(Math.ceil(chunkBytes / line.length)));
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const beganAtMs = Date.now();
const began = performance.now();
for (let printed = 0; printed < total; ) {
  const dueBytes = bytesPerSecond === Infinity ? total : ((performance.now() - began) / 1000) * bytesPerSecond;
  const due = Math.min(total, dueBytes + chunk.length);
  while (printed < due) printed += fs.writeSync(1, chunk, 0, Math.min(chunk.length, Math.ceil(due - printed)));
  if (printed < total) Atomics.wait(sleeper, 0, 0, STEP_MS);
}
fs.writeFileSync(file, JSON.stringify({ beganAtMs, tookMs: performance.now() - began }));

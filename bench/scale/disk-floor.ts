/** What this disk takes for the least that a new Durable Object does to it: a file, made and synced. */
import { close, fsync, open, write } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PAGE = Buffer.alloc(4096);

/** Milliseconds a file, one after the other. */
export async function syncedFileMs(parent: string, count: number): Promise<number> {
  const directory = await mkdtemp(join(parent, 'floor-'));
  const beganAt = performance.now();
  for (let index = 0; index < count; index += 1) {
    const file = await promisify(open)(join(directory, String(index)), 'w');
    await promisify(write)(file, PAGE);
    await promisify(fsync)(file);
    await promisify(close)(file);
  }
  const tookMs = performance.now() - beganAt;
  await rm(directory, { recursive: true });
  return tookMs / count;
}

/** A file system in memory: files outlive a process, but not a restart of the machine. */
import fs from 'node:fs';

/** Exists on Linux; elsewhere nothing is kept in memory. */
export const MEMORY = '/dev/shm';

/** With less, the memory is left to the command: a container usually has 64 MiB, which databases and browsers use. */
export const LEAST_FREE_BYTES = 32 * 1024 * 1024;

/** Throws what the file system says. */
export function isMemoryFree(): boolean {
  const { bavail, bsize } = fs.statfsSync(MEMORY);
  return bavail * bsize >= LEAST_FREE_BYTES;
}

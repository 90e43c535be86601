/** Memory that is a file system: what is there outlives a process, and not a restart of the machine. */
import fs from 'node:fs';

/** There on Linux; elsewhere nothing is kept in memory. */
export const MEMORY = '/dev/shm';

/** With less the memory is for the command: a container has 64 MiB as a rule, and databases and browsers use them. */
const LEAST_FREE_BYTES = 32 * 1024 * 1024;

/** Throws what the file system says. */
export function isMemoryFree(): boolean {
  const { bavail, bsize } = fs.statfsSync(MEMORY);
  return bavail * bsize >= LEAST_FREE_BYTES;
}

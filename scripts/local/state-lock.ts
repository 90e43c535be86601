/**
 * At most one control plane uses a state directory: two runtimes on the same databases would each believe that they decide.
 *
 * The lock is SQLite's, on a file of its own: the kernel holds it for the process and releases it at the process's end,
 * however that came. It works between containers of a machine as well, which can't see each other's processes.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartError } from './start-error.ts';

/** SQLITE_BUSY */
const BUSY = 5;

export interface StateLock {
  release(): void;
}

/** @throws StartError if another control plane has it */
export function lockState(stateDir: string): StateLock {
  mkdirSync(stateDir, { recursive: true });
  const owner = join(stateDir, 'lock-owner');
  const db = new DatabaseSync(join(stateDir, 'lock.sqlite'));
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN IMMEDIATE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== BUSY) throw error;
    throw new StartError(
      `Leash is already running with the state directory ${stateDir}${ownerIn(owner)}. Stop it first, or use another directory: npm start -- --state DIR`,
    );
  }
  writeFileSync(owner, `${process.pid}\n`);
  return { release: () => db.close() };
}

/** Only for the message: in another container it is another process. */
function ownerIn(file: string): string {
  try {
    return ` (process ${readFileSync(file, 'utf8').trim()})`;
  } catch {
    // It has the lock and is about to write this.
    return '';
  }
}

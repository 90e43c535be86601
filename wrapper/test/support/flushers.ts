import fs from 'node:fs';
import path from 'node:path';
import { procTable } from '../../src/processes/proc-table.ts';

/** Pids of the living `leash flush` that use a state directory. */
export function flushers(stateDirectory: string): number[] {
  return procTable.list().flatMap(({ pid, isAlive }) => (isAlive && isFlusher(pid, stateDirectory) ? [pid] : []));
}

/** Ends them without a word. */
export function killFlushers(stateDirectory: string): void {
  for (const pid of flushers(stateDirectory)) process.kill(pid, 'SIGKILL');
}

/** Names of the runs that are left. */
export function leftIn(stateDirectory: string): string[] {
  const runs = path.join(stateDirectory, 'runs');
  return fs.existsSync(runs) ? fs.readdirSync(runs) : [];
}

function isFlusher(pid: number, stateDirectory: string): boolean {
  try {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return words[2] === 'flush' && fs.readFileSync(`/proc/${pid}/environ`, 'latin1').includes(stateDirectory);
  } catch {
    // It has ended.
    return false;
  }
}

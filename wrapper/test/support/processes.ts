import fs from 'node:fs';
import { procTable } from '../../src/processes/proc-table.ts';

let markers = 0;

/** A string that no other process on this machine has on its command line. */
export function newMarker(): string {
  markers += 1;
  return `leash-test-${process.pid}-${markers}-${Math.random().toString(36).slice(2)}`;
}

/** Pids of living processes, zombies and wrappers not counted, that have `marker` on their command line. */
export function living(marker: string): number[] {
  return withMarker(marker).filter((pid) => !/\/(main\.ts|leash\.cjs)\0/.test(read(pid, 'cmdline')));
}

/** The same, wrappers included. */
export function withMarker(marker: string): number[] {
  return having(marker, 'cmdline');
}

/** Ends what a test has left behind, all at once, by what the command lines or the environments hold. */
export function endAll(marker: string, where: Place = 'cmdline'): void {
  const pids = where === 'cmdline' ? living(marker) : having(marker, where);
  // Stopped first: none may see another go, and act on it.
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // Gone by itself.
      }
    }
  }
}

type Place = 'cmdline' | 'environ';

function having(marker: string, where: Place): number[] {
  return procTable.list().flatMap(({ pid, isAlive }) => (isAlive && read(pid, where).includes(marker) ? [pid] : []));
}

function read(pid: number, where: Place): string {
  try {
    return fs.readFileSync(`/proc/${pid}/${where}`, 'latin1');
  } catch {
    // It has ended, or it is another user's.
    return '';
  }
}

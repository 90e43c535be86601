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
  return fs.readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const commandLine = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8');
      if (!commandLine.includes(marker) || commandLine.includes('wrapper/src/main.ts')) return [];
      const entry = procTable.entry(Number(name));
      return entry?.isAlive === true ? [entry.pid] : [];
    } catch {
      return [];
    }
  });
}

/** Ends what a failed test may have left behind. */
export function endAll(marker: string): void {
  for (const pid of living(marker)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
}

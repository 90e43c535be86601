/** Nothing of a run is left on its machine: no process, cgroup, record, spool or journal. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { processesWith } from '../../../scripts/local/process-group.ts';
import { cgroupDirectory } from '../../../wrapper/src/processes/cgroup.ts';
import type { Machine } from '../machine.ts';
import type { RoundLog } from '../round-log.ts';
import type { ChaosRun } from '../run.ts';

export function checkLeftBehind(runs: readonly ChaosRun[], machines: readonly Machine[], log: RoundLog): void {
  for (const run of runs) {
    const alive = run.processes();
    if (alive.length > 0)
      log.fail(`${run.name} is over, and of it are alive: ${alive.map(describeProcess).join('; ')}`);
    const { cgroup, pid } = run.notes;
    // Without a record nobody comes back for it, but for later runs, after a minute.
    const directory = cgroup === null || run.couldNotBeKept ? null : cgroupOf(cgroup);
    if (directory !== null && existsSync(directory)) log.fail(`${run.name} has left the cgroup ${directory}`);
    const journals = pid === null ? [] : journalsOf(pid);
    if (journals.length > 0) log.fail(`${run.name} has left ${journals.join(', ')} in /dev/shm`);
  }
  for (const machine of machines) {
    const left = machine.leftovers();
    if (left.length > 0) log.fail(`on ${machine.name} is left ${left.join(', ')}`);
    const others = ownProcesses(machine);
    if (others.length > 0) log.fail(`on ${machine.name} there still run ${others.map(describeProcess).join('; ')}`);
  }
}

/** Wrappers, guardians, keepers and flushers of a machine. */
export function ownProcesses(machine: Machine): number[] {
  return processesWith(`LEASH_STATE_DIR=${machine.disk.path}`);
}

function cgroupOf(line: string): string | null {
  const directory = cgroupDirectory(line, readFileSync('/proc/self/mountinfo', 'utf8'));
  // The one that we are all in ourselves, where runs get none of their own.
  return directory ===
    cgroupDirectory(readFileSync('/proc/self/cgroup', 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8'))
    ? null
    : directory;
}

function journalsOf(pid: number): string[] {
  try {
    return readdirSync('/dev/shm').filter((name) => name.startsWith('leash-journal-') && name.includes(`@${pid}@`));
  } catch {
    return [];
  }
}

function describeProcess(pid: number): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      .replaceAll(/[\0\n]+/g, ' ')
      .slice(0, 120)}`;
  } catch {
    return `${pid} (just gone)`;
  }
}

/** Process groups: who is in one, and ending it whole. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
/** What got SIGKILL ends, sooner or later: on a machine that is busy, later. */
const DEADLINE_MS = 60_000;

/** The living processes of a group. Zombies don't count: nothing of them runs. */
export function groupMembers(group: number): number[] {
  return livingProcesses()
    .filter((process) => process.group === group)
    .map((process) => process.pid);
}

export function isAlive(pid: number): boolean {
  return livingProcesses().some((process) => process.pid === pid);
}

/** SIGKILL to a whole group; resolves when nothing of it is left. */
export async function endGroup(group: number): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    signalGroup(group, 'SIGKILL');
    if (groupMembers(group).length === 0) return;
    if (Date.now() > deadline) throw new Error(`the process group ${group} does not end`);
    await sleep(POLL_MS);
  }
}

/** Signals a group; a group that is gone already is no error. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  signalIfThere(-group, signal);
}

/** Signals a process, or by its negative number a group; one that is gone already is no error. */
export function signalIfThere(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A process and all that descends from it. What was orphaned before is not found. */
export function processTree(root: number): number[] {
  const all = livingProcesses();
  const found = new Set([root]);
  for (let before = 0; found.size > before; ) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** Living processes that have this entry (`NAME=value`) in their environment, as far as the system tells (Linux). */
export function processesWith(entry: string): number[] {
  return livingProcesses().flatMap(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry) ? [pid] : [];
    } catch {
      // It has ended, it is another user's, or there is no /proc.
      return [];
    }
  });
}

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

/** Every process that is more than a zombie. */
function livingProcesses(): ProcessStat[] {
  return existsSync('/proc/self/stat') ? fromProc() : fromPs();
}

function fromProc(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== null);
}

/** Where there is no /proc, as on a Mac. A slim container has no ps, so that one isn't asked everywhere. */
function fromPs(): ProcessStat[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([pid, , , state]) => pid !== undefined && pid !== '' && state?.startsWith('Z') === false)
    .map(([pid, parent, group]) => ({ pid: Number(pid), parent: Number(parent), group: Number(group) }));
}

function readStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended between the listing and the reading.
    return null;
  }
  // The name is in brackets and may hold anything, brackets too: what follows the last one is regular.
  const [state, parent, group] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return null;
  return { pid, parent: Number(parent), group: Number(group) };
}

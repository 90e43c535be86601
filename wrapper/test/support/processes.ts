import fs from 'node:fs';
import { waitFor } from '#testing/wait-for';
import { procTable } from '../../src/processes/proc-table.ts';
import type { ProcessEntry } from '../../src/processes/process-table.ts';

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

/** Ends what a test has left behind, by what the command lines or the environments hold. */
export async function endAll(marker: string, where: Place = 'cmdline'): Promise<void> {
  await endEach(() => (where === 'cmdline' ? living(marker) : having(marker, where)));
}

/** Kills whatever `find` finds. Resolves when nothing is found any more, and nothing of what was still runs. */
export async function endEach(find: () => readonly number[]): Promise<void> {
  const ended: ProcessEntry[] = [];
  await waitFor('an end of what a test has left behind', () => {
    const found = find().flatMap((pid) => procTable.entry(pid) ?? []);
    ended.push(...found);
    // Stopped first, so that none reacts to another's death. (The next round finds one that already did.)
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const { pid } of found) signalIfThere(pid, signal);
    // One that was sent SIGKILL still ends the call that it is in: it may make a file where all files have been removed.
    return found.length === 0 && ended.every(hasEnded);
  });
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone by itself.
  }
}

function hasEnded({ pid, startTime }: ProcessEntry): boolean {
  const now = procTable.entry(pid);
  return now?.isAlive !== true || now.startTime !== startTime;
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

/** The files in a state directory, and the processes that use it. */
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { procTable } from '../../src/processes/proc-table.ts';
import { fallbackDirectories } from '../../src/state/fallback-directory.ts';
import { endEach } from './processes.ts';

/** Pids of the living `leash flush` that use a state directory. */
export function flushers(stateDirectory: string): number[] {
  return usersOf(stateDirectory).filter((pid) => read(pid, 'cmdline').split('\0')[2] === 'flush');
}

/** Kills them. */
export async function killFlushers(stateDirectory: string): Promise<void> {
  await endEach(() => flushers(stateDirectory));
}

/** Pids of the living `leash adopt` that use a state directory. */
export function adopters(stateDirectory: string): number[] {
  return usersOf(stateDirectory).filter((pid) => read(pid, 'cmdline').includes('\0adopt\0'));
}

/** Pids of the living guardians that use a state directory. */
export function guardians(stateDirectory: string): number[] {
  return usersOf(stateDirectory).filter((pid) => read(pid, 'cmdline').includes('leash-guardian'));
}

/** Kills a wrapper and its guardian, so that the run has no successor. */
export async function killWithGuardian(wrapper: ChildProcess, stateDirectory: string): Promise<void> {
  const guardian = await waitFor('its guardian', () =>
    guardians(stateDirectory).find((pid) => procTable.entry(pid)?.ppid === wrapper.pid),
  );
  // In this order: a guardian acts on the death of its wrapper, and not the other way round.
  process.kill(guardian, 'SIGKILL');
  wrapper.kill('SIGKILL');
}

/** Pids of all that lives and has a state directory, or another word, in its environment. */
export function usersOf(word: string): number[] {
  return procTable.list().flatMap(({ pid, isAlive }) => (isAlive && read(pid, 'environ').includes(word) ? [pid] : []));
}

/** Ids of the runs whose record is complete. */
export function recordsIn(stateDirectory: string): string[] {
  return leftIn(stateDirectory).filter((name) => !name.startsWith('.'));
}

/** Where a state directory's runs are in memory: one directory at most, removed when the test is over. */
export async function inMemory(stateDirectory: string): Promise<string | null> {
  const found = await fallbackDirectories(stateDirectory);
  onTestFinished(() => {
    for (const each of found) fs.rmSync(each, { recursive: true, force: true });
  });
  expect(found.length).toBeLessThan(2);
  return found[0] ?? null;
}

/** Names of all that is left of runs, half made and half deleted records included. */
export function leftIn(stateDirectory: string): string[] {
  const runs = path.join(stateDirectory, 'runs');
  return fs.existsSync(runs) ? fs.readdirSync(runs) : [];
}

function read(pid: number, file: 'cmdline' | 'environ'): string {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
}

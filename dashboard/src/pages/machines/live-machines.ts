/** Machines as the list has them, with what is known of their open runs since. Pure. */
import type { Run } from '#protocol/api';
import type { Machine } from '#protocol/machines';
import { isLive } from '#protocol/run-state';
import type { Runs } from '../../state/store.ts';

export interface LiveMachine extends Machine {
  readonly running: number;
  /** Not known of what hasn't been followed yet: then they are among those that run. */
  readonly waiting: number;
}

/** @param open null: not known yet */
export function liveMachines(machines: readonly Machine[], open: Runs | null): LiveMachine[] {
  if (open === null) return machines.map((machine) => ({ ...machine, running: machine.running_count, waiting: 0 }));
  const byMachine = Map.groupBy(open.values(), ({ machine }) => machine);
  const listed = new Set(machines.map(({ name }) => name));
  const fresh = [...byMachine].filter(([name]) => !listed.has(name)).map(([name, runs]) => newMachine(name, runs));
  return [...machines, ...fresh]
    .map((machine) => withRuns(machine, byMachine.get(machine.name) ?? []))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function withRuns(machine: Machine, runs: readonly Run[]): LiveMachine {
  const live = runs.filter(({ state }) => isLive(state));
  const waiting = live.filter(({ state }) => state === 'waiting').length;
  const is_connected = live.some(({ connected }) => connected);
  return { ...machine, running: live.length - waiting, waiting, is_connected };
}

/** One that has shown up since the list was loaded. */
function newMachine(name: string, runs: readonly Run[]): Machine {
  const newest = runs.reduce((one, other) => (one.started_at < other.started_at ? other : one));
  return {
    name,
    is_connected: true,
    last_seen_at: newest.started_at,
    running_count: runs.length,
    job_count: 0,
    bad_job_count: 0,
    last_bad_end: null,
    wrapper: newest.wrapper ?? null,
    wrapper_version: newest.wrapper_version,
    os: newest.host?.os ?? null,
    node: newest.host?.node ?? null,
  };
}

export function needsAttention({ bad_job_count }: LiveMachine): boolean {
  return bad_job_count > 0;
}

export function shownMachines(machines: readonly LiveMachine[], typed: string, isOnlyBad: boolean): LiveMachine[] {
  const words = typed
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return machines.filter(
    (machine) =>
      (!isOnlyBad || needsAttention(machine)) && words.every((word) => machine.name.toLowerCase().includes(word)),
  );
}

import { expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import type { Machine } from '#protocol/machines';
import { liveMachines, shownMachines } from '../src/pages/machines/live-machines.ts';
import { type RunRef, refOf } from '../src/state/run-ref.ts';
import { makeRun } from './make.ts';

function machine(name: string, changes: Partial<Machine> = {}): Machine {
  return {
    name,
    is_connected: false,
    last_seen_at: '2026-11-01T03:00:00Z',
    running_count: 0,
    job_count: 1,
    bad_job_count: 0,
    last_bad_end: null,
    wrapper: 'leash',
    wrapper_version: '1.0.0',
    os: null,
    node: null,
    ...changes,
  };
}

function open(...runs: readonly Run[]): ReadonlyMap<RunRef, Run> {
  return new Map(runs.map((run) => [refOf(run), run]));
}

const live = (id: string, on: string, changes: Partial<Run> = {}) =>
  makeRun({ id, machine: on, state: 'running', connected: true, ...changes });

test('open runs say what runs on a machine, and whether it is connected', () => {
  const listed = [machine('a', { running_count: 9, is_connected: true }), machine('b')];
  const runs = open(live('1', 'b'), live('2', 'b', { connected: false }));
  expect(liveMachines(listed, runs)).toMatchObject([
    { name: 'a', running: 0, is_connected: false },
    { name: 'b', running: 2, is_connected: true },
  ]);
});

test('what waits for its turn does not run', () => {
  const runs = open(live('1', 'a'), live('2', 'a', { state: 'waiting' }));
  expect(liveMachines([machine('a')], runs)).toMatchObject([{ running: 1, waiting: 1, is_connected: true }]);
});

test('until they are known, the list says it', () => {
  expect(liveMachines([machine('a', { running_count: 9 })], null)).toMatchObject([{ name: 'a', running: 9 }]);
});

test('a machine that has shown up since is there, in its place', () => {
  const found = liveMachines([machine('a'), machine('c')], open(live('1', 'b', { wrapper_version: '2.0.0' })));
  expect(found.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(found[1]).toMatchObject({ running: 1, wrapper_version: '2.0.0', job_count: 0 });
});

test('each typed word must be in the name', () => {
  const all = liveMachines([machine('web-1.eu', { bad_job_count: 1 }), machine('web-2.us'), machine('db-1.eu')], null);
  const names = (typed: string, isOnlyBad = false) => shownMachines(all, typed, isOnlyBad).map(({ name }) => name);
  expect(names('')).toHaveLength(3);
  expect(names('WEB eu')).toEqual(['web-1.eu']);
  expect(names('', true)).toEqual(['web-1.eu']);
});

import { describe, expect, test } from 'vitest';
import type { Command, Target } from '#protocol/api';
import { listedIds, newestFirst, readNarrowing } from '../src/pages/commands/listed.ts';
import { shownTargets, targetGroups } from '../src/pages/commands/targets.ts';
import { makeCommand, runId } from './make.ts';

const command = (n: number, changes: Partial<Command> = {}) => makeCommand({ id: runId(n), run: null, ...changes });
const heard = (...all: Command[]) => new Map(all.map((one) => [one.id, one]));
const read = (items: Command[], hasMore = false) => ({ items, hasMore, readAt: 1 });
const ALL = { job: null, states: [] };

describe('the list of commands', () => {
  test('what is heard of goes on top, and the newest version is shown', () => {
    const known = heard(command(2, { state: 'settled' }), command(3));
    const ids = listedIds(new Set(), read([command(2)]), known, ALL);
    expect(newestFirst(ids, known).map(({ id, state }) => [id, state])).toEqual([
      [runId(3), 'queued'],
      [runId(2), 'settled'],
    ]);
  });

  test('what is older than all that was read waits until that is read', () => {
    const known = heard(command(1), command(5), command(6));
    expect(listedIds(new Set(), read([command(5)], true), known, ALL)).toEqual(new Set([runId(5), runId(6)]));
    expect(listedIds(new Set(), read([command(5)]), known, ALL)).toEqual(new Set([runId(1), runId(5), runId(6)]));
  });

  test('nothing is shown by hearsay before the list was read', () => {
    const listing = { items: [], hasMore: false, readAt: null };
    expect(listedIds(new Set(), listing, heard(command(1)), ALL).size).toBe(0);
  });

  test('narrowed to a state, it takes in what is in that state, and keeps what goes on to another', () => {
    const narrowing = { job: 'backup', states: ['queued', 'delivered'] as const };
    const first = listedIds(
      new Set(),
      read([]),
      heard(command(1), command(2, { state: 'settled' }), command(3, { job: 'etl' })),
      narrowing,
    );
    expect(first).toEqual(new Set([runId(1)]));
    expect(listedIds(first, read([]), heard(command(1, { state: 'settled' })), narrowing)).toEqual(first);
  });

  test('the address', () => {
    const narrowed = readNarrowing(new URLSearchParams('job=etl&state=queued,nonsense,settled'));
    expect(narrowed).toEqual({ job: 'etl', states: ['queued', 'settled'] });
  });
});

describe('targets', () => {
  const target = (n: number, changes: Partial<Target> = {}): Target => ({
    run: runId(n),
    machine: `web-${n}`,
    state: 'gone',
    signal: 'SIGTERM',
    exit_code: 143,
    survivors: [],
    unnamed_survivors: false,
    ...changes,
  });
  const targets = [
    target(10, { survivors: [7] }),
    target(3, { unnamed_survivors: true }),
    target(1),
    target(2, { state: 'lost', exit_code: null }),
  ];

  test('groups tell what needs somebody first', () => {
    expect(targetGroups(targets)).toEqual([
      { show: 'survivors', count: 2 },
      { show: 'lost', count: 1 },
      { show: 'gone', count: 3 },
    ]);
  });

  test('by machine, and narrowed to a group', () => {
    expect(shownTargets(targets, null).map(({ machine }) => machine)).toEqual(['web-1', 'web-2', 'web-3', 'web-10']);
    expect(shownTargets(targets, 'survivors').map(({ machine }) => machine)).toEqual(['web-3', 'web-10']);
  });
});

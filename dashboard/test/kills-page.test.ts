import { describe, expect, test } from 'vitest';
import type { Kill, Target } from '#protocol/api';
import { batchText } from '../src/format/kill-labels.ts';
import { listedIds, newestFirst, parseKillFilter, rowsOf } from '../src/pages/kills/listed.ts';
import { shownTargets, targetGroups } from '../src/pages/kills/targets.ts';
import { batchProgress } from '../src/state/batch-progress.ts';
import { byBatch, isBatch, stateOfBatch } from '../src/state/batches.ts';
import { makeKill, runId } from './make.ts';

const kill = (n: number, changes: Partial<Kill> = {}) => makeKill({ id: runId(n), run: null, ...changes });
const heard = (...all: Kill[]) => new Map(all.map((one) => [one.id, one]));
const read = (items: Kill[], hasMore = false) => ({ items, hasMore, readAt: 1 });
const ALL = { job: null, states: [], batch: null };

describe('the list of kills', () => {
  test('what is heard of goes on top, and the newest version is shown', () => {
    const known = heard(kill(2, { state: 'settled' }), kill(3));
    const ids = listedIds(new Set(), read([kill(2)]), known, ALL);
    expect(newestFirst(ids, known).map(({ id, state }) => [id, state])).toEqual([
      [runId(3), 'queued'],
      [runId(2), 'settled'],
    ]);
  });

  test('what is older than all that was read waits until that is read', () => {
    const known = heard(kill(1), kill(5), kill(6));
    expect(listedIds(new Set(), read([kill(5)], true), known, ALL)).toEqual(new Set([runId(5), runId(6)]));
    expect(listedIds(new Set(), read([kill(5)]), known, ALL)).toEqual(new Set([runId(1), runId(5), runId(6)]));
  });

  test('nothing is shown by hearsay before the list was read', () => {
    const listing = { items: [], hasMore: false, readAt: null };
    expect(listedIds(new Set(), listing, heard(kill(1)), ALL).size).toBe(0);
  });

  test('narrowed to a state, it takes in what is in that state, and keeps what moves to another', () => {
    const narrowing = { job: 'backup', states: ['queued', 'delivered'] as const, batch: null };
    const first = listedIds(
      new Set(),
      read([]),
      heard(kill(1), kill(2, { state: 'settled' }), kill(3, { job: 'etl' })),
      narrowing,
    );
    expect(first).toEqual(new Set([runId(1)]));
    expect(listedIds(first, read([]), heard(kill(1, { state: 'settled' })), narrowing)).toEqual(first);
  });

  test('the address', () => {
    const narrowed = parseKillFilter(new URLSearchParams('job=etl&state=queued,nonsense,settled'));
    expect(narrowed).toEqual({ job: 'etl', states: ['queued', 'settled'], batch: null });
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
    related: [],
    related_count: 0,
    timing: null,
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

describe('one batch of kills for 30 runs in 12 jobs', () => {
  const target = (n: number, changes: Partial<Target> = {}): Target => ({
    run: runId(n),
    machine: `m${n}`,
    state: 'gone',
    signal: null,
    exit_code: 143,
    survivors: [],
    unnamed_survivors: false,
    related: [],
    related_count: 0,
    timing: null,
    ...changes,
  });
  const parts = Array.from({ length: 30 }, (_, n) => {
    const changes: Partial<Target> = n === 3 ? { survivors: [7] } : n === 4 ? { state: 'sent' } : {};
    return kill(100 + n, {
      job: `job-${n % 12}`,
      batch: 'one-call',
      run: runId(n),
      state: n === 4 ? 'queued' : 'settled',
      targets: [target(n, changes)],
    });
  });
  const [newer, older] = [kill(200), kill(1, { batch: 'another' })];
  const listed = [newer, ...parts, older];

  test('is one row, and its parts follow it when it is open', () => {
    const kinds = (opened: string[]) =>
      rowsOf(listed, new Set(opened)).map((row) => (row.kind === 'batch' ? 'batch' : row.isPart ? 'part' : 'kill'));
    expect(kinds([])).toEqual(['kill', 'batch', 'kill']);
    expect(kinds(['one-call'])).toEqual(['kill', 'batch', ...parts.map(() => 'part'), 'kill']);
  });

  test('is reported as a whole', () => {
    const batch = byBatch(listed).find(isBatch);
    expect(batch === undefined ? null : batchText(batch)).toBe('30 runs in 12 jobs');
    expect(batch === undefined ? null : stateOfBatch(batch).state).toBe('delivered');
    const { counts, isOver } = batchProgress(batch?.kills ?? []);
    expect([counts.gone, counts.survived, counts.sent, isOver]).toEqual([28, 1, 1, false]);
    const ofOne = { id: 'x', kills: parts.slice(0, 2).map((part) => ({ ...part, job: 'etl', targets: [] })) };
    expect(batchText(ofOne)).toBe('2 runs of etl');
    expect(stateOfBatch(ofOne).state).toBe('settled');
  });
});

import { describe, expect, test } from 'vitest';
import {
  EVERYTHING,
  isNarrowed,
  matchesRun,
  parseRunFilter,
  type RunFilter,
  toggledStates,
} from '../src/pages/job/filter.ts';
import {
  firstSeen,
  type History,
  NO_HISTORY,
  shownRuns,
  trimmed,
  withoutRun,
  withPage,
  withRuns,
} from '../src/pages/job/history.ts';
import { refOf } from '../src/state/run-ref.ts';
import { at, makeRun, runId } from './make.ts';

/** The n-th run, started at second n; ended five seconds later. */
const run = (n: number, changes = {}) =>
  makeRun({
    id: runId(n),
    state: 'succeeded',
    final: true,
    exit_code: 0,
    started_at: at(n),
    ended_at: at(n + 5),
    seq: 5,
    ...changes,
  });

const shown = (history: History, filter: RunFilter = EVERYTHING) =>
  shownRuns(history, filter).map(({ id }) => Number(id.slice(3)));

describe('the history', () => {
  const firstPage = withPage(NO_HISTORY, [run(30), run(20)], false);

  test('is shown newest first', () => {
    expect(shown(withPage(NO_HISTORY, [run(30), run(10), run(20)], true))).toEqual([30, 20, 10]);
  });

  test('takes what starts while it is shown', () => {
    expect(shown(withRuns(firstPage, [run(40, { state: 'running', final: false })]))).toEqual([40, 30, 20]);
  });

  test('shows nothing below the pages that were loaded: between there are runs that are not known', () => {
    const changed = withRuns(firstPage, [run(5)]);
    expect(shown(changed)).toEqual([30, 20]);
    expect(shown(withPage(changed, [run(10)], false))).toEqual([30, 20, 10]);
    expect(shown(withPage(changed, [run(10)], true))).toEqual([30, 20, 10, 5]);
  });

  test('keeps the newer version, whichever comes first', () => {
    const ended = run(20, { state: 'failed', seq: 9 });
    const failures = { ...EVERYTHING, states: ['failed'] } as const;
    expect(shown(withRuns(firstPage, [ended]), failures)).toEqual([20]);
    expect(shown(withPage(withRuns(NO_HISTORY, [ended]), [run(30), run(20)], true), failures)).toEqual([20]);
  });

  test('is the very same when nothing is new', () => {
    expect(withRuns(firstPage, [run(30), run(20, { seq: 4 })])).toBe(firstPage);
    expect(withoutRun(firstPage, refOf(run(1)))).toBe(firstPage);
  });

  test('loses what is not kept any more', () => {
    expect(shown(withoutRun(firstPage, refOf(run(20))))).toEqual([30]);
  });

  test('forgets the oldest when there is too much, and knows that they are to be loaded again', () => {
    const all = withPage(
      NO_HISTORY,
      Array.from({ length: 21 }, (_, n) => run(100 - n)),
      true,
    );
    expect(trimmed(all, 21)).toBe(all);
    const cut = trimmed(all, 20);
    expect(shown(cut)).toEqual(Array.from({ length: 19 }, (_, n) => 100 - n));
    expect(cut.reach).toMatchObject({ kind: 'to', last: { id: runId(82) } });
    // A late word of a forgotten one does not show it beside a hole.
    expect(shown(withRuns(cut, [run(80)])).at(-1)).toBe(82);
  });

  test('is not said to reach further than its pages by being cut', () => {
    const far = withRuns(withPage(NO_HISTORY, [run(100), run(99)], false), [run(3), run(2), run(1)]);
    expect(trimmed(far, 4).reach).toMatchObject({ kind: 'to', last: { id: runId(99) } });
  });
});

describe('the filter', () => {
  const parse = (query: string) => parseRunFilter(new URLSearchParams(query));

  test('is read from the address, without what is not known', () => {
    expect(parse('')).toEqual(EVERYTHING);
    expect(parse('state=failed,nonsense,running&machine=web-1&instance=backup_1')).toEqual({
      states: ['running', 'killing', 'failed'],
      machine: 'web-1',
      instance: 'backup_1',
    });
    expect(isNarrowed(parse('state=nonsense&machine='))).toBe(false);
  });

  test.each([
    ['', 'failed', 'failed'],
    ['state=failed', 'lost', 'failed,lost'],
    ['state=failed,lost', 'failed', 'lost'],
    ['state=running', 'running', null],
    ['state=running,succeeded,failed,killed,timed_out,lost', 'errored', null],
  ] as const)('%s with %s toggled is %s', (query, choice, expected) => {
    expect(toggledStates(parse(query), choice)).toBe(expected);
  });

  test('asks for all of what it is given', () => {
    const filter = parse('state=running&machine=web-1&instance=i');
    const wanted = makeRun({ state: 'killing', machine: 'web-1', instance: 'i' });
    expect(matchesRun(filter, wanted)).toBe(true);
    for (const other of [{ state: 'lost' }, { machine: 'web-2' }, { instance: 'j' }] as const) {
      expect(matchesRun(filter, { ...wanted, ...other })).toBe(false);
    }
  });
});

test('a job was first seen no later than the earliest run that is known has started', () => {
  expect(firstSeen(at(25), [run(30), run(20)])).toBe(at(20));
  expect(firstSeen(at(10), [run(30)])).toBe(at(10));
  expect(firstSeen(null, [run(30)])).toBe(null);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import { trials } from '#testing/seed';
import { barLabel, worstOf } from '../src/pages/timeline/bar-labels.ts';
import { LaneIndex } from '../src/pages/timeline/lanes.ts';
import { type Bar, keyOf, LEAST_BAR_PX, layOut, MOST_ROWS, rowsOf } from '../src/pages/timeline/layout.ts';
import { overlaps } from '../src/pages/timeline/view.ts';
import { at, makeRun, runId } from './make.ts';

const SECOND = 1000;
const START = Date.parse(at(0));
let made = 0;

/** @param to null while it runs */
function span(from: number, to: number | null, changes: Partial<Run> = {}): Run {
  made += 1;
  return makeRun({
    id: runId(made),
    state: to === null ? 'running' : 'succeeded',
    started_at: at(from),
    ended_at: to === null ? null : at(to),
    ...changes,
  });
}

function barsOf(runs: readonly Run[], msPerPx = SECOND): Bar[] {
  const index = new LaneIndex('job', () => true);
  index.put(runs);
  return index.lanes.flatMap((lane) => layOut(lane, msPerPx));
}

/** `row: from-to xN`, in seconds. */
function described({ runs, from, to, row, isCrowd }: Bar): string {
  const [start, end] = [from, to].map((ms) => (ms === null ? '' : (ms - START) / SECOND));
  return `${row}: ${start}-${end}${runs.length === 1 ? '' : ` ${isCrowd ? '+' : 'x'}${runs.length}`}`;
}
const shown = (runs: readonly Run[], msPerPx = SECOND) => barsOf(runs, msPerPx).map(described);

describe('packing', () => {
  test('runs that overlap get rows of their own, and rows are used again', () => {
    expect(shown([span(0, 50), span(10, 30), span(20, 60), span(30, 40), span(60, 90)])).toEqual([
      '0: 0-50',
      '1: 10-30',
      '2: 20-60',
      '1: 30-40',
      '0: 60-90',
    ]);
  });

  test('a live run keeps its row', () => {
    expect(shown([span(0, null), span(1000, 1020)])).toEqual(['0: 0-', '1: 1000-1020']);
  });

  test('what finds no row is counted in the last one', () => {
    const bars = barsOf([...Array.from({ length: 20 }, () => span(0, 50)), span(100, 150)]);
    expect(bars.map(described).slice(-2)).toEqual(['5: 0-50 +15', '0: 100-150']);
    expect(rowsOf(bars)).toBe(MOST_ROWS);
  });

  test('a single run in the last row is shown as a run', () => {
    expect(shown(Array.from({ length: MOST_ROWS }, () => span(0, 50))).at(-1)).toBe('5: 0-50');
  });

  test('a crowd with a live run has no end', () => {
    const crowd = barsOf([...Array.from({ length: 9 }, () => span(0, 50)), span(20, null)]).at(-1);
    expect(crowd).toMatchObject({ isCrowd: true, to: null });
  });
});

describe('grouping', () => {
  test('runs too short to be drawn apart share a bar', () => {
    expect(shown([span(24, 25), span(26, 27), span(29, 30)])).toEqual(['0: 24-38 x3']);
  });

  test('a short run alone has the least width', () => {
    expect(shown([span(24, 24)])).toEqual(['0: 24-28']);
  });

  test('a group never grows beyond what a finger hits, and the next one stays in its row', () => {
    const everySecond = Array.from({ length: 72 }, (_, second) => span(second, second + 1));
    const bars = barsOf(everySecond);
    expect(bars.map(({ runs }) => runs.length)).toEqual([24, 24, 24]);
    expect(rowsOf(bars)).toBe(1);
  });

  test('at a closer zoom they are apart', () => {
    expect(shown([span(24, 25), span(26, 27), span(29, 30)], 200)).toHaveLength(3);
  });

  test('a live run is never grouped', () => {
    expect(barsOf([span(24, 25), span(25, null), span(26, 27)]).filter(({ to }) => to === null)).toMatchObject([
      { runs: [{ state: 'running' }] },
    ]);
  });
});

test('every run is in exactly one bar, and no two bars of a row overlap', () => {
  const spans = fc.array(fc.tuple(fc.nat(5000), fc.option(fc.nat(400), { freq: 20 })), { maxLength: 120 });
  fc.assert(
    fc.property(spans, fc.integer({ min: 1, max: 100 }), (of, secondsPerPx) => {
      const runs = of.map(([from, took]) => span(from, took === null ? null : from + took));
      const bars = barsOf(runs, secondsPerPx * SECOND);
      const ids = bars.flatMap(({ runs }) => runs.map(({ id }) => id));
      expect(ids.sort()).toEqual(runs.map(({ id }) => id).sort());
      expect(new Set(bars.map(keyOf)).size).toBe(bars.length);
      for (let row = 0; row < MOST_ROWS; row += 1) {
        let end = Number.NEGATIVE_INFINITY;
        for (const bar of bars.filter((each) => each.row === row)) {
          expect(bar.from).toBeGreaterThanOrEqual(end);
          end = bar.to ?? Number.POSITIVE_INFINITY;
          if (bar.to !== null) {
            expect(bar.to - bar.from).toBeGreaterThanOrEqual(LEAST_BAR_PX * secondsPerPx * SECOND - 1e-3);
          }
        }
      }
    }),
    trials(100, 5_000),
  );
});

test('bars are in a period as long as any part of them is', () => {
  const bars = barsOf([span(0, 50), span(60, 70), span(80, null)]);
  const within = (from: number, to: number) =>
    bars.filter((bar) => overlaps(bar, { from: START + from * SECOND, to: START + to * SECOND })).map(described);
  expect(within(40, 65)).toEqual(['0: 0-50', '0: 60-70']);
  expect(within(52, 58)).toEqual([]);
  expect(within(5000, 6000)).toEqual(['0: 80-']);
});

describe('lanes', () => {
  const index = (kind: 'job' | 'machine', runs: readonly Run[], accepts = (_: Run) => true) => {
    const lanes = new LaneIndex(kind, accepts);
    lanes.put(runs);
    return lanes;
  };
  const a = span(0, 10, { job: 'a', machine: 'm-2' });
  const b = span(5, 400, { job: 'b', machine: 'm-1' });
  const later = span(300, 310, { job: 'a', machine: 'm-1' });

  test('are by job or by machine, in the order of their names', () => {
    expect(index('job', [b, a, later]).lanes.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(index('machine', [b, a, later]).lanes.map(({ name }) => name)).toEqual(['m-1', 'm-2']);
  });

  test('a change replaces its own lane only', () => {
    const lanes = index('job', [a, b]);
    const [laneA, laneB] = lanes.lanes;
    lanes.put([{ ...a, seq: 2, state: 'failed' }]);
    expect(lanes.lanes[0]).not.toBe(laneA);
    expect(lanes.lanes[1]).toBe(laneB);
    expect(lanes.lanes[0]?.runs.map(({ run }) => run.state)).toEqual(['failed']);
  });

  test('a run that is no longer accepted leaves its lane, and the last one removes it', () => {
    const lanes = index('job', [a, b], ({ state }) => state !== 'failed');
    lanes.put([{ ...a, seq: 2, state: 'failed' }]);
    expect(lanes.lanes.map(({ name }) => name)).toEqual(['b']);
  });
});

test('two runs with the same id, of two jobs, are two bars of their machine', () => {
  const real = span(0, 10);
  const other = { ...real, job: 'other' };
  const index = new LaneIndex('machine', () => true);
  index.put([real, other]);
  const bars = () => index.lanes.flatMap((lane) => layOut(lane, SECOND));
  expect(new Set(bars().map(keyOf)).size).toBe(2);
  index.remove([other]);
  expect(bars()).toMatchObject([{ runs: [{ job: 'backup' }] }]);
});

describe('the label of a bar', () => {
  const labelOf = (...runs: readonly Run[]) => barsOf(runs).map(barLabel).join();
  test('of a run', () => {
    expect(labelOf(span(0, 65, { state: 'failed', exit_code: 3, job: 'sync', machine: 'edge-7' }))).toMatch(
      /^sync on edge-7: failed, started .+, took 1m 05s, exit code 3$/,
    );
  });
  test('of a live run contains nothing that changes every second', () => {
    expect(labelOf(span(0, null, { connected: false }))).toMatch(
      /^backup on web-1: running, disconnected, started [^,]+(, [^,]+)?$/,
    );
  });
  test('of a group counts its states', () => {
    expect(labelOf(span(24, 25), span(25, 26, { state: 'failed' }), span(26, 27))).toMatch(
      /^3 runs: 2 succeeded, 1 failed, .+ to .+$/,
    );
  });
});

test('the worst state of several is the one that is shown', () => {
  expect(worstOf([span(0, 1), span(0, 1, { state: 'failed' }), span(0, 1, { state: 'killed' })])).toBe('failed');
  expect(worstOf([span(0, 1)])).toBe('succeeded');
  expect(worstOf([span(0, 1, { state: 'skipped' })])).toBe('skipped');
  expect(worstOf([span(0, 1, { state: 'skipped' }), span(0, 1)])).toBe('succeeded');
});

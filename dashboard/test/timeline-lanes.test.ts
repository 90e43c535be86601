import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import { trials } from '#testing/seed';
import { Lane, LaneIndex } from '../src/pages/timeline/lane-index.ts';
import {
  keyOf,
  LEAST_BAR_PX,
  layOut,
  type Mark,
  MOST_ROWS,
  markAt,
  marksWithin,
  rowsOf,
  worstOf,
} from '../src/pages/timeline/lane-layout.ts';
import { markText } from '../src/pages/timeline/mark-words.ts';
import { refOf } from '../src/state/run-ref.ts';
import { at, makeRun, runId } from './make.ts';

const SECOND = 1000;
const START = Date.parse(at(0));
let made = 0;

/** From one second to another; to null while it runs. */
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

const laneOf = (runs: readonly Run[]) => new Lane('backup', new Map(runs.map((run) => [refOf(run), run])));
const layoutOf = (runs: readonly Run[], msPerPx = SECOND) => layOut(laneOf(runs), msPerPx).marks;

/** `row: from-to xN`, in seconds. */
function told(mark: Mark): string {
  const [from, to] = [mark.from, mark.to].map((ms) => (ms === null ? '' : (ms - START) / SECOND));
  const what = mark.kind === 'run' ? '' : ` ${mark.cause === 'crowd' ? '+' : 'x'}${mark.runs.length}`;
  return `${mark.row}: ${from}-${to}${what}`;
}
const shown = (runs: readonly Run[], msPerPx = SECOND) => layoutOf(runs, msPerPx).map(told);

describe('packing', () => {
  test('what overlaps gets rows of its own, and rows are used again', () => {
    expect(shown([span(0, 50), span(10, 30), span(20, 60), span(30, 40), span(60, 90)])).toEqual([
      '0: 0-50',
      '1: 10-30',
      '2: 20-60',
      '1: 30-40',
      '0: 60-90',
    ]);
  });

  test('what still runs keeps its row', () => {
    expect(shown([span(0, null), span(1000, 1020)])).toEqual(['0: 0-', '1: 1000-1020']);
  });

  test('more at once than there are rows are counted in the last one', () => {
    const marks = layoutOf([...Array.from({ length: 20 }, () => span(0, 50)), span(100, 150)]);
    expect(marks.map(told).slice(-2)).toEqual(['5: 0-50 +15', '0: 100-150']);
    expect(rowsOf(marks)).toBe(MOST_ROWS);
  });

  test('one more than there are other rows is shown as it is', () => {
    expect(shown(Array.from({ length: MOST_ROWS }, () => span(0, 50))).at(-1)).toBe('5: 0-50');
  });

  test('a crowd of which one still runs has no end', () => {
    const crowd = layoutOf([...Array.from({ length: 9 }, () => span(0, 50)), span(20, null)]).at(-1);
    expect(crowd).toMatchObject({ kind: 'group', cause: 'crowd', to: null });
  });
});

describe('merging', () => {
  test('runs too short to be told apart are one mark', () => {
    expect(shown([span(24, 25), span(26, 27), span(29, 30)])).toEqual(['0: 24-38 x3']);
  });

  test('a short run alone is as wide as can be seen', () => {
    expect(shown([span(24, 24)])).toEqual(['0: 24-28']);
  });

  test('a mark never grows beyond what a finger hits, and the next stays in its row', () => {
    const everySecond = Array.from({ length: 72 }, (_, second) => span(second, second + 1));
    const marks = layoutOf(everySecond);
    expect(marks.map((mark) => mark.kind === 'group' && mark.runs.length)).toEqual([24, 24, 24]);
    expect(rowsOf(marks)).toBe(1);
  });

  test('closer up they are apart', () => {
    expect(shown([span(24, 25), span(26, 27), span(29, 30)], 200)).toHaveLength(3);
  });

  test('what still runs is never merged', () => {
    expect(layoutOf([span(24, 25), span(25, null), span(26, 27)]).filter(({ kind }) => kind === 'run')).toHaveLength(1);
  });
});

test('whatever ran, every run is in exactly one mark, and no two marks of a row overlap', () => {
  const spans = fc.array(fc.tuple(fc.nat(5000), fc.option(fc.nat(400), { freq: 20 })), { maxLength: 120 });
  fc.assert(
    fc.property(spans, fc.integer({ min: 1, max: 100 }), (of, secondsPerPx) => {
      const runs = of.map(([from, took]) => span(from, took === null ? null : from + took));
      const marks = layoutOf(runs, secondsPerPx * SECOND);
      const ids = marks.flatMap((mark) => (mark.kind === 'run' ? [mark.run.id] : mark.runs.map(({ id }) => id)));
      expect(ids.sort()).toEqual(runs.map(({ id }) => id).sort());
      expect(new Set(marks.map(keyOf)).size).toBe(marks.length);
      for (let row = 0; row < MOST_ROWS; row += 1) {
        let end = Number.NEGATIVE_INFINITY;
        for (const mark of marks.filter((each) => each.row === row)) {
          expect(mark.from).toBeGreaterThanOrEqual(end);
          end = mark.to ?? Number.POSITIVE_INFINITY;
          if (mark.to !== null) {
            expect(mark.to - mark.from).toBeGreaterThanOrEqual(LEAST_BAR_PX * secondsPerPx * SECOND - 1e-3);
          }
        }
      }
    }),
    trials(100, 5_000),
  );
});

describe('pointing', () => {
  const marks = layoutOf([span(0, 50), span(10, 30), span(100, 104)]);
  const pointed = (second: number, row: number) => {
    const mark = markAt(
      marks,
      { ms: START + second * SECOND, row },
      { ms: 10 * SECOND, rows: 0.5, nowMs: START + 1000 * SECOND },
    );
    return mark === null ? null : told(mark);
  };

  test.each<[number, number, string | null]>([
    [20, 0.5, '0: 0-50'],
    [20, 1.5, '1: 10-30'],
    // Between the two: the nearer one.
    [34, 1.6, '1: 10-30'],
    [96, 0.5, '0: 100-104'],
    [112, 0.5, '0: 100-104'],
    [116, 0.5, null],
    [102, 1.4, '0: 100-104'],
    [102, 1.8, null],
  ])('at second %d, row %d', (second, row, expected) => {
    expect(pointed(second, row)).toBe(expected);
  });

  test('what still runs is hit up to now', () => {
    const [running] = layoutOf([span(0, null)]);
    const hit = (second: number) =>
      markAt(
        running === undefined ? [] : [running],
        { ms: START + second * SECOND, row: 0.5 },
        { ms: 10 * SECOND, rows: 0.5, nowMs: START + 100 * SECOND },
      );
    expect(hit(99)).toBe(running);
    expect(hit(120)).toBeNull();
  });
});

test('marks are within a period as long as any part of them is', () => {
  const marks = layoutOf([span(0, 50), span(60, 70), span(80, null)]);
  const within = (from: number, to: number) =>
    marksWithin(marks, { from: START + from * SECOND, to: START + to * SECOND }).map(told);
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

  test('are busy when any of their runs was alive at the time, however early it began', () => {
    const busy = (from: number, to: number) =>
      index('machine', [a, b, later])
        .lanes.filter((lane) => lane.isBusy({ from: START + from * SECOND, to: START + to * SECOND }))
        .map(({ name }) => name);
    expect(busy(0, 8)).toEqual(['m-1', 'm-2']);
    expect(busy(350, 360)).toEqual(['m-1']);
    expect(busy(500, 600)).toEqual([]);
    expect(busy(-100, -50)).toEqual([]);
  });

  test('only the one that a change is in becomes another one', () => {
    const lanes = index('job', [a, b]);
    const [laneA, laneB] = lanes.lanes;
    lanes.put([{ ...a, seq: 2, state: 'failed' }]);
    expect(lanes.lane('a')).not.toBe(laneA);
    expect(lanes.lane('b')).toBe(laneB);
    expect(lanes.lane('a')?.spans.map(({ run }) => run.state)).toEqual(['failed']);
  });

  test('lose a run that is no longer wanted, and go with the last one', () => {
    const lanes = index('job', [a, b], ({ state }) => state !== 'failed');
    lanes.put([{ ...a, seq: 2, state: 'failed' }]);
    expect(lanes.lanes.map(({ name }) => name)).toEqual(['b']);
  });
});

test('two runs with the same id, of two jobs, are two marks of their machine', () => {
  const real = span(0, 10);
  const evil = { ...real, job: 'evil' };
  const lanes = new LaneIndex('machine', () => true);
  lanes.put([real, evil]);
  const marks = (lane: Lane | undefined) => (lane === undefined ? [] : layOut(lane, SECOND).marks);
  expect(new Set(marks(lanes.lane('web-1')).map(keyOf)).size).toBe(2);
  lanes.remove([evil]);
  expect(marks(lanes.lane('web-1'))).toMatchObject([{ kind: 'run', run: { job: 'backup' } }]);
});

describe('what a mark says', () => {
  const [mark] = layoutOf([span(0, 65, { state: 'failed', exit_code: 3, job: 'sync', machine: 'edge-7' })]);
  test('of a run', () => {
    expect(mark && markText(mark)).toMatch(/^sync on edge-7: failed, started .+, took 1m 05s, exit code 3$/);
  });
  test('of one that runs, nothing that changes every second', () => {
    const [running] = layoutOf([span(0, null, { connected: false })]);
    expect(running && markText(running)).toMatch(/^backup on web-1: running, out of touch, started [^,]+(, [^,]+)?$/);
  });
  test('of several, how they ended', () => {
    const [group] = layoutOf([span(24, 25), span(25, 26, { state: 'failed' }), span(26, 27)]);
    expect(group && markText(group)).toMatch(/^3 runs: 2 succeeded, 1 failed, .+ to .+$/);
  });
  test('the worst is what is shown of several', () => {
    expect(worstOf([span(0, 1), span(0, 1, { state: 'failed' }), span(0, 1, { state: 'killed' })])).toBe('failed');
    expect(worstOf([span(0, 1)])).toBe('succeeded');
  });
});

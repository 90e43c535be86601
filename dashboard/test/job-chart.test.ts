import { describe, expect, test } from 'vitest';
import { formatDuration } from '#shared/format-duration';
import { chartAxis, durationMs, summaryText } from '../src/pages/job/durations.ts';
import { METRICS } from '../src/pages/job/metrics.ts';
import { nearest, pointsOf, timeRange, timeTexts } from '../src/pages/job/points.ts';
import { at, makeRun, runId } from './make.ts';

const S = 1_000;
const M = 60 * S;
const H = 60 * M;

const ended = (seconds: number, changes = {}) =>
  makeRun({ state: 'succeeded', final: true, started_at: at(0), ended_at: at(seconds), ...changes });

const axisText = (durations: number[]) => {
  const { kind, ticks } = chartAxis(durations);
  return `${kind}: ${ticks.map(formatDuration).join(' ')}`;
};

describe('the axis of durations', () => {
  test.each([
    [[], 'linear: 0s 1ms'],
    [[0, 0], 'linear: 0s 1ms'],
    [[320, 450], 'linear: 0s 100ms 200ms 300ms 400ms 500ms'],
    [[50 * S, 70 * S], 'linear: 0s 20s 40s 1m 1m 20s'],
    [[4 * H, 5 * H], 'linear: 0s 1h 2h 3h 4h 5h'],
    // One that failed at once is no reason to give up the even scale.
    [[10, 60 * S, 61 * S, 62 * S], 'linear: 0s 20s 40s 1m 1m 20s'],
    // One that hung is.
    [[S, S, S, 30 * M], 'log: 1s 10s 1m 10m'],
    [[2 * S, 2 * S, 2 * S, 25 * S], 'log: 2s 5s 10s 20s 30s'],
    [[M, M, M, 60 * 24 * H], 'log: 1m 10m 1h 6h 1d 7d 50d'],
  ])('%j', (durations, expected) => {
    expect(axisText(durations)).toBe(expected);
  });

  test('holds every duration, or has it on its lower edge', () => {
    for (const longest of [1, 7, 99, 1_234, 59_999, 3_600_001, 1e9, 1e12]) {
      for (const usual of [1, 3, 1_000, 77_777]) {
        const { min, max, ticks } = chartAxis([usual, usual, usual, longest]);
        expect(max).toBeGreaterThanOrEqual(Math.max(usual, longest));
        expect(min).toBeLessThanOrEqual(usual);
        expect(ticks.length).toBeLessThan(13);
        expect(ticks.length).toBeGreaterThan(1);
      }
    }
  });

  test('takes a hundred thousand runs', () => {
    expect(chartAxis(Array.from({ length: 100_000 }, (_, n) => n)).max).toBe(100 * S);
  });
});

test('the duration of a live run is counted until now', () => {
  expect(durationMs(makeRun({ started_at: at(0) }), Date.parse(at(90)))).toBe(90 * S);
  expect(durationMs(makeRun({ started_at: at(10) }), Date.parse(at(0)))).toBe(0);
});

describe('the chart in words', () => {
  test.each([
    [[], ''],
    [[makeRun()], '1 run: 1 running.'],
    [[ended(3)], '1 run: 1 succeeded. Duration 3s.'],
    [
      [makeRun({ state: 'killing' }), ended(2), ended(4), ended(7200, { state: 'failed' })],
      '4 runs: 1 running, 2 succeeded, 1 failed. Median 4s, max 2h.',
    ],
    [[ended(2), ended(4)], '2 runs: 2 succeeded. Median 2s, max 4s.'],
  ])('%#', (runs, expected) => {
    expect(summaryText(runs, METRICS.duration)).toBe(expected);
  });
});

describe('points', () => {
  const runs = [30, 20, 10].map((n) =>
    makeRun({ id: runId(n), started_at: at(n), ended_at: at(n + 1), state: 'failed' }),
  );
  const points = pointsOf(runs, 0, METRICS.duration);

  test('are those of runs that have started', () => {
    const others = (['waiting', 'skipped'] as const).map((state) => makeRun({ state, started_at: at(40) }));
    expect(pointsOf([...others, ...runs], 0, METRICS.duration)).toEqual(points);
    expect(summaryText([...others, ...runs], METRICS.duration)).toMatch(
      /^5 runs: 1 waiting, 3 failed, 1 skipped\. Median 1s, max 1s\.$/,
    );
  });

  test('come oldest first, as they are drawn', () => {
    expect(points.map(({ run }) => run.id)).toEqual([10, 20, 30].map(runId));
    expect(points.map(({ amount: ms }) => ms)).toEqual([S, S, S]);
  });

  test('have room at both sides, even a single one', () => {
    const [from, to] = timeRange(points);
    expect([from < Date.parse(at(10)) / S, to > Date.parse(at(30)) / S]).toEqual([true, true]);
    const [start, end] = timeRange(points.slice(0, 1));
    expect(end - start).toBe(30);
  });

  test('are meant by who is near, the nearest first', () => {
    const places = [
      { x: 0, y: 0 },
      { x: 10, y: 0 },
      { x: 100, y: 0 },
    ];
    expect(nearest(places, { x: 7, y: 3 }, 16)).toBe(1);
    expect(nearest(places, { x: 50, y: 0 }, 16)).toBeNull();
    expect(nearest([], { x: 0, y: 0 }, 16)).toBeNull();
  });
});

test('the time below shows the day once a day', () => {
  const hour = Date.parse('2026-03-01T22:00:00Z') / S;
  const ticks = [0, 1, 2, 3].map((n) => hour + n * 3600);
  const texts = timeTexts(ticks, 3600, 'UTC');
  expect(texts.map((text) => text.split('\n')[0])).toEqual(['22:00', '23:00', '00:00', '01:00']);
  expect(texts.map((text) => text.includes('\n'))).toEqual([true, false, true, false]);
  expect(timeTexts(ticks, 30, 'UTC')[1]).toBe('23:00:00');
  expect(timeTexts([hour], 86_400, 'UTC')[0]).not.toContain(':');
});

test('peak memory has an axis of its own units, and leaves out runs that did not report it', () => {
  const usage = (bytes: number) => ({
    cpu_ms: 1,
    peak_memory_bytes: bytes,
    memory_bytes: null,
    read_bytes: 0,
    written_bytes: 0,
  });
  const MIB = 1024 ** 2;
  const runs = [ended(3), ended(2, { usage: usage(300 * MIB) }), ended(1, { usage: usage(100 * MIB) })];
  const points = pointsOf(runs, 0, METRICS.memory);
  expect(points.map(({ amount }) => amount)).toEqual([100 * MIB, 300 * MIB]);
  const { ticks } = chartAxis(
    points.map(({ amount }) => amount),
    METRICS.memory.marks,
  );
  expect(ticks.map(METRICS.memory.format)).toEqual(['0 bytes', '100 MiB', '200 MiB', '300 MiB']);
  expect(summaryText(runs, METRICS.memory)).toBe('3 runs: 3 succeeded. Median 100 MiB, max 300 MiB.');
});

import { describe, expect, test } from 'vitest';
import { missing, within, withPeriod } from '../src/pages/timeline/coverage.ts';
import {
  framing,
  linkOf,
  nextSpan,
  panned,
  periodOf,
  readView,
  type View,
  zoomed,
} from '../src/pages/timeline/view.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-03-10T12:00:00Z');
const read = (search: string) => readView(new URLSearchParams(search), NOW);
const at = (hours: number) => NOW + hours * HOUR;

describe('a link', () => {
  test.each<[string, View]>([
    ['', { span: '24h', to: null }],
    ['window=1h', { span: '1h', to: null }],
    ['window=7d&to=2026-03-10T06:00:00Z', { span: '7d', to: at(-6) }],
    // What is not there, or not yet, counts as not said.
    ['window=2h&to=yesterday', { span: '24h', to: null }],
    ['to=2027-01-01T00:00:00Z', { span: '24h', to: null }],
  ])('%s', (search, view) => {
    expect(read(search)).toEqual(view);
  });

  test('says what it was made of, and no more than it must', () => {
    expect(linkOf({ span: '24h', to: null })).toEqual({ window: null, to: null });
    expect(linkOf({ span: '6h', to: at(-1) })).toEqual({ window: '6h', to: '2026-03-10T11:00:00Z' });
  });
});

describe('zooming', () => {
  test('keeps the time that is pointed at where it is', () => {
    const before: View = { span: '24h', to: at(-10) };
    const pointed = at(-16);
    const after = zoomed(before, '6h', pointed, NOW);
    const share = (view: View) => {
      const { from, to } = periodOf(view, NOW);
      return (pointed - from) / (to - from);
    };
    expect(share(after)).toBeCloseTo(share(before), 10);
    expect(after.span).toBe('6h');
  });

  test('stays at now when now is the end and nothing is pointed at', () => {
    expect(zoomed({ span: '24h', to: null }, '1h', null, NOW)).toEqual({ span: '1h', to: null });
  });

  test('is about the middle when nothing is pointed at', () => {
    expect(zoomed({ span: '24h', to: at(-24) }, '6h', null, NOW)).toEqual({ span: '6h', to: at(-33) });
  });

  test('never shows the future', () => {
    expect(zoomed({ span: '6h', to: at(-1) }, '7d', null, NOW)).toEqual({ span: '7d', to: null });
  });

  test('goes by steps, and no further than there are', () => {
    expect(nextSpan('24h', 1)).toBe('6h');
    expect(nextSpan('24h', -1)).toBe('3d');
    expect(nextSpan('1h', 1)).toBe('1h');
    expect(nextSpan('7d', -1)).toBe('7d');
  });

  test('to a stretch makes it a good part of the view', () => {
    const week: View = { span: '7d', to: null };
    expect(framing(week, { from: at(-52), to: at(-48) }, NOW)).toEqual({ span: '6h', to: at(-47) });
    expect(framing(week, { from: at(-48), to: at(-48) }, NOW)).toEqual({ span: '1h', to: at(-47.5) });
    expect(framing({ span: '1h', to: null }, { from: at(-0.5), to: at(-0.4) }, NOW)).toBeNull();
  });
});

test('moving into the past stops following now, and moving back takes it up again', () => {
  const past = panned({ span: '6h', to: null }, -2 * HOUR, NOW);
  expect(past).toEqual({ span: '6h', to: at(-2) });
  expect(panned(past, HOUR, NOW)).toEqual({ span: '6h', to: at(-1) });
  expect(panned(past, 3 * HOUR, NOW)).toEqual({ span: '6h', to: null });
  // The clock has gone on meanwhile; that is not meant.
  expect(panned(past, 2 * HOUR, NOW + 2000)).toEqual({ span: '6h', to: null });
  // A drag begins with a pixel.
  expect(panned({ span: '6h', to: null }, -1000, NOW).to).not.toBeNull();
});

describe('coverage', () => {
  const period = (from: number, to: number) => ({ from, to });

  test('only what is not known is missing', () => {
    const covered = [period(10, 20), period(30, Number.POSITIVE_INFINITY)];
    expect(missing([], period(0, 5))).toEqual([period(0, 5)]);
    expect(missing(covered, period(12, 18))).toEqual([]);
    expect(missing(covered, period(10, 20))).toEqual([]);
    expect(missing(covered, period(35, Number.POSITIVE_INFINITY))).toEqual([]);
    expect(missing(covered, period(5, 40))).toEqual([period(5, 10), period(20, 30)]);
    expect(missing(covered, period(15, 25))).toEqual([period(20, 25)]);
    expect(missing(covered, period(0, 10))).toEqual([period(0, 10)]);
  });

  test('what touches grows together', () => {
    expect(withPeriod([period(10, 20), period(30, 40)], period(20, 30))).toEqual([period(10, 40)]);
    expect(withPeriod([period(10, 20)], period(30, 40))).toEqual([period(10, 20), period(30, 40)]);
    expect(withPeriod([period(30, 40)], period(10, 20))).toEqual([period(10, 20), period(30, 40)]);
    expect(withPeriod([period(10, 20)], period(12, 15))).toEqual([period(10, 20)]);
  });

  test('is cut to what is kept', () => {
    expect(within([period(0, 10), period(20, 30), period(40, 50)], period(5, 25))).toEqual([
      period(5, 10),
      period(20, 25),
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { nextZoom, panned, periodOf, queryOf, readView, type View, zoomed } from '../src/pages/timeline/view.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-03-10T12:00:00Z');
const read = (search: string) => readView(new URLSearchParams(search), NOW);
const at = (hours: number) => NOW + hours * HOUR;

describe('a link', () => {
  test.each<[string, View]>([
    ['', { zoom: '24h', to: null }],
    ['window=1h', { zoom: '1h', to: null }],
    ['window=7d&to=2026-03-10T06:00:00Z', { zoom: '7d', to: at(-6) }],
    // What is invalid, or in the future, counts as missing.
    ['window=2h&to=yesterday', { zoom: '24h', to: null }],
    ['to=2027-01-01T00:00:00Z', { zoom: '24h', to: null }],
  ])('%s', (search, view) => {
    expect(read(search)).toEqual(view);
  });

  test('contains what differs from the default', () => {
    expect(queryOf({ zoom: '24h', to: null })).toEqual({ window: null, to: null });
    expect(queryOf({ zoom: '6h', to: at(-1) })).toEqual({ window: '6h', to: '2026-03-10T11:00:00Z' });
  });
});

describe('zooming', () => {
  test('keeps the position of the time that is pointed at', () => {
    const before: View = { zoom: '24h', to: at(-10) };
    const pointed = at(-16);
    const after = zoomed(before, '6h', pointed, NOW);
    const share = (view: View) => {
      const { from, to } = periodOf(view, NOW);
      return (pointed - from) / (to - from);
    };
    expect(share(after)).toBeCloseTo(share(before), 10);
    expect(after.zoom).toBe('6h');
  });

  test('stays at now when now is the end and nothing is pointed at', () => {
    expect(zoomed({ zoom: '24h', to: null }, '1h', null, NOW)).toEqual({ zoom: '1h', to: null });
  });

  test('is about the middle when nothing is pointed at', () => {
    expect(zoomed({ zoom: '24h', to: at(-24) }, '6h', null, NOW)).toEqual({ zoom: '6h', to: at(-33) });
  });

  test('never shows the future', () => {
    expect(zoomed({ zoom: '6h', to: at(-1) }, '7d', null, NOW)).toEqual({ zoom: '7d', to: null });
  });

  test('goes by steps, and ends with the last', () => {
    expect(nextZoom('24h', 1)).toBe('6h');
    expect(nextZoom('24h', -1)).toBe('3d');
    expect(nextZoom('1h', 1)).toBe('1h');
    expect(nextZoom('7d', -1)).toBe('7d');
  });
});

test('moving into the past stops following now, and moving back follows it again', () => {
  const past = panned({ zoom: '6h', to: null }, -2 * HOUR, NOW);
  expect(past).toEqual({ zoom: '6h', to: at(-2) });
  expect(panned(past, HOUR, NOW)).toEqual({ zoom: '6h', to: at(-1) });
  expect(panned(past, 3 * HOUR, NOW)).toEqual({ zoom: '6h', to: null });
  // Two seconds have passed meanwhile.
  expect(panned(past, 2 * HOUR, NOW + 2000)).toEqual({ zoom: '6h', to: null });
  // A drag starts with a pixel.
  expect(panned({ zoom: '6h', to: null }, -1000, NOW).to).not.toBeNull();
});

import { describe, expect, test } from 'vitest';
import type { Target, TargetTiming } from '#protocol/api';
import { firstSignalText, hopsOf, hopText, segmentsOf } from '../src/pages/kills/hops.ts';
import { RUN_ID } from './make.ts';

function target(timing: Partial<TargetTiming> | null): Target {
  const unknown = { sent_ms: null, received_ms: null, first_signal_ms: null, last_process_gone_ms: null };
  return {
    run: RUN_ID,
    machine: 'web-1',
    state: 'gone',
    signal: 'SIGTERM',
    exit_code: 143,
    survivors: [],
    unnamed_survivors: false,
    related: [],
    related_count: 0,
    timing: timing === null ? null : { ...unknown, ...timing },
  };
}

const WHOLE = { sent_ms: 3, received_ms: 6, first_signal_ms: 8, last_process_gone_ms: 10 };
const shares = (timing: Partial<TargetTiming>, stored_ms: number | null) =>
  segmentsOf(hopsOf({ stored_ms }, target(timing))).map(({ name, share, isCut }) => [name, share.toFixed(3), isCut]);

describe('the hops of a kill', () => {
  test('are in the order of time, also if it was sent before it was stored', () => {
    expect(hopsOf({ stored_ms: 4 }, target(WHOLE)).map(({ name, atMs }) => [name, atMs])).toEqual([
      ['sent', 3],
      ['stored', 4],
      ['received', 6],
      ['first_signal', 8],
      ['gone', 10],
    ]);
  });

  test('are those that are known', () => {
    expect(hopsOf({ stored_ms: 4 }, target(null))).toEqual([]);
    expect(hopsOf({ stored_ms: null }, target({ sent_ms: 2 }))).toEqual([{ name: 'sent', atMs: 2 }]);
  });

  test('read as durations, and what took less than a millisecond is not nothing', () => {
    expect([0.4, 9.7, 1_234].map(hopText)).toEqual(['<1ms', '9ms', '1.2s']);
  });
});

describe('the bar', () => {
  test('is divided by how long each hop took', () => {
    expect(shares(WHOLE, 1)).toEqual([
      ['stored', '0.100', false],
      ['sent', '0.200', false],
      ['received', '0.300', false],
      ['first_signal', '0.200', false],
      ['gone', '0.200', false],
    ]);
  });

  test('is not filled by processes that take long to end: that part is cut, and the others keep their proportions', () => {
    expect(shares({ ...WHOLE, last_process_gone_ms: 5_000 }, 1)).toEqual([
      ['stored', '0.075', false],
      ['sent', '0.150', false],
      ['received', '0.225', false],
      ['first_signal', '0.150', false],
      ['gone', '0.400', true],
    ]);
  });

  test('fills its length whatever is known', () => {
    for (const timing of [
      WHOLE,
      { last_process_gone_ms: 5 },
      { sent_ms: 0, last_process_gone_ms: 5 },
      { sent_ms: 2 },
    ]) {
      const total = segmentsOf(hopsOf({ stored_ms: null }, target(timing))).reduce((sum, { share }) => sum + share, 0);
      expect(total).toBeCloseTo(1);
    }
    expect(segmentsOf(hopsOf({ stored_ms: null }, target({ sent_ms: 0 })))).toEqual([]);
  });
});

test('the first signals of all targets are summed up', () => {
  expect(firstSignalText([target(null), target({ sent_ms: 1 })])).toBeNull();
  expect(firstSignalText([target({ first_signal_ms: 9 }), target(null)])).toBe('after 9ms');
  expect(firstSignalText([9, 41, 12].map((ms) => target({ first_signal_ms: ms })))).toBe('after 9ms to 41ms');
});

import { describe, expect, test } from 'vitest';
import { parseRange, resolveRange, withoutGaps } from '../src/http/output/byte-range.ts';

test.each([
  ['bytes=0-0', { kind: 'from', start: 0, end: 1 }],
  ['bytes=5-9', { kind: 'from', start: 5, end: 10 }],
  ['bytes=5-', { kind: 'from', start: 5, end: Number.POSITIVE_INFINITY }],
  ['bytes=-7', { kind: 'suffix', bytes: 7 }],
  ['Bytes= 5-9 ', { kind: 'from', start: 5, end: 10 }],
])('%s is one stretch', (header, range) => {
  expect(parseRange(header)).toEqual(range);
});

test.each(['bytes=9-5', 'bytes=-', 'bytes=', 'bytes=0-1,5-6', 'lines=0-1', 'bytes=a-b', 'bytes=1', 'bytes=-1-2', ''])(
  '%j is as good as none',
  (header) => {
    expect(parseRange(header)).toBeNull();
  },
);

describe('a range', () => {
  test('ends with what is stored', () => {
    expect(resolveRange({ kind: 'from', start: 2, end: 100 }, 10)).toEqual({ start: 2, end: 10 });
    expect(resolveRange({ kind: 'suffix', bytes: 100 }, 10)).toEqual({ start: 0, end: 10 });
    expect(resolveRange({ kind: 'suffix', bytes: 3 }, 10)).toEqual({ start: 7, end: 10 });
  });

  test('beyond the end is empty', () => {
    const { start, end } = resolveRange({ kind: 'from', start: 10, end: 20 }, 10);
    expect(end - start).toBe(0);
  });

  test('is split by its gaps, and by no others', () => {
    const gaps = [
      { start: 0, end: 3 },
      { start: 5, end: 6 },
      { start: 8, end: 9 },
    ];
    expect(withoutGaps({ start: 0, end: 10 }, gaps)).toEqual([
      { start: 3, end: 5 },
      { start: 6, end: 8 },
      { start: 9, end: 10 },
    ]);
    expect(withoutGaps({ start: 1, end: 6 }, gaps)).toEqual([{ start: 3, end: 5 }]);
    expect(withoutGaps({ start: 3, end: 5 }, gaps)).toEqual([{ start: 3, end: 5 }]);
    expect(withoutGaps({ start: 8, end: 9 }, gaps)).toEqual([]);
    expect(withoutGaps({ start: 6, end: 7 }, gaps)).toEqual([{ start: 6, end: 7 }]);
    expect(withoutGaps({ start: 4, end: 4 }, gaps)).toEqual([]);
    expect(withoutGaps({ start: 0, end: 4 }, [])).toEqual([{ start: 0, end: 4 }]);
  });
});

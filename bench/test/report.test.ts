import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { median, quantile } from '../measure/statistics.ts';
import { formatQuantity, type Quantity } from '../report/quantity.ts';
import { type Aim, isMet } from '../report/result.ts';
import { formatResult } from '../report/terminal.ts';

const ms = (value: number): Quantity => ({ value, unit: 'ms' });

test('a quantile is one of the values, whatever their order', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0.5, 0.9, 0.99, 1].map((share) => quantile(hundred, share))).toEqual([50, 90, 99, 100]);
  expect(quantile([7], 0.99)).toBe(7);
  expect(median([3, 1, 2])).toBe(2);
  expect(median([])).toBeNaN();
});

test.each([
  [ms(3.704), '3.70 ms'],
  [ms(12), '12.0 ms'],
  [ms(1889.4), '1,889 ms'],
  [{ value: 0.0000163, unit: '$' }, '$0.000016'],
  [{ value: 0.00002, unit: '$' }, '$0.000020'],
  [{ value: 8, unit: '$' }, '$8.00'],
  [{ value: 31, unit: '' }, '31'],
  [{ value: 2.2, unit: '' }, '2.20'],
  [ms(Number.NaN), '–'],
] satisfies [Quantity, string][])('%j reads as %s', (quantity, text) => {
  expect(formatQuantity(quantity)).toBe(text);
});

test.each([
  ['≤', 3, true],
  ['<', 3, false],
  ['≥', 3, true],
  ['=', 3, true],
  ['≤', Number.NaN, false],
] satisfies [Aim['relation'], number, boolean][])('3 as the limit of %s is met by %j: %j', (relation, value, met) => {
  expect(isMet({ name: 'it', measured: ms(value), relation, limit: ms(3) })).toBe(met);
});

test('columns are aligned, and each aim says whether it is met', () => {
  const text = formatResult({
    tables: [
      {
        title: 'since the POST',
        columns: ['p50', 'n'],
        rows: [
          { name: 'the floor', cells: [ms(3.7), { value: 100, unit: '' }] },
          { name: 'a kill', cells: [ms(12.34), null] },
        ],
      },
    ],
    aims: [
      { name: 'p50', measured: ms(12.34), relation: '≤', limit: ms(11.1) },
      { name: 'all', measured: { value: 8, unit: '' }, relation: '=', limit: { value: 8, unit: '' } },
    ],
    notes: ['One machine.'],
  });
  expect(stripVTControlCharacters(text)).toBe(
    [
      '  since the POST       p50     n',
      '  the floor        3.70 ms   100',
      '  a kill           12.3 ms',
      '',
      '  ✗ p50   12.3 ms   ≤ 11.1 ms',
      '  ✓ all         8         = 8',
      '',
      '  One machine.',
    ].join('\n'),
  );
});

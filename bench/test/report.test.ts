import { readFile } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { median, quantile } from '../measure/statistics.ts';
import { chartSvg } from '../report/chart.ts';
import type { Machine } from '../report/machine.ts';
import { PERFORMANCE_DOC, withResults } from '../report/performance-doc.ts';
import { formatQuantity, type Quantity } from '../report/quantity.ts';
import { type Aim, isMet, type Report } from '../report/result.ts';
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

const MACHINE: Machine = {
  processor: 'EPYC',
  cores: 2,
  memoryGib: 24,
  system: 'Linux 6.18',
  node: '24.21.0',
  workerd: '1.2026',
  leash: '0.1.0',
  load: 0.05,
  at: '2026-11-30T17:00:00.000Z',
};

test('results replace those of the same bench in the document, and no others', () => {
  const report = (name: string, value: number): Report => ({
    name,
    title: name,
    seconds: 3,
    result: {
      tables: [{ title: 'times', columns: ['p50'], rows: [{ name: '  a kill', cells: [ms(value)] }] }],
      aims: [{ name: 'p50', measured: ms(value), relation: '≤', limit: ms(11) }],
      notes: [],
    },
  });
  const empty = ['kill', 'cost', 'missed'].map((name) => `<!-- figures: ${name} -->\n<!-- end -->\n`).join('Text.\n');
  const first = withResults(empty, MACHINE, [report('kill', 12), report('cost', 13)]);
  expect(first).toContain('| &nbsp;&nbsp;a kill | 12.0 ms |');
  expect(first).toContain('| p50 | 13.0 ms | ≤ 11.0 ms | ✗ |');
  expect(first).toContain('- kill: p50: 12.0 ms, not ≤ 11.0 ms\n- cost: p50: 13.0 ms');
  const second = withResults(first, MACHINE, [report('kill', 10)]);
  expect(second).toContain('| p50 | 10.0 ms | ≤ 11.0 ms | ✓ |');
  expect(second).toContain('13.0 ms');
  expect(second).not.toContain('- kill:');
  expect(second).toContain('- cost:');
  expect(second.match(/Text\./g)).toHaveLength(2);
});

test('the document has a place for each bench', async () => {
  const text = await readFile(PERFORMANCE_DOC, 'utf8');
  for (const name of ['kill', 'output', 'wrapper', 'scale', 'cost', 'page', 'missed']) {
    expect(text).toMatch(new RegExp(`<!-- figures: ${name} -->\n.*?<!-- end -->`, 's'));
  }
});

test('a chart says its bars to who does not see it, and escapes their names', () => {
  const svg = chartSvg({
    file: 'it.svg',
    title: 'Kills',
    unit: 'ms',
    bars: [{ name: '<bare> & "quick"', value: 4, p99: 6, kind: 'floor' }],
    limit: { name: 'limit', value: 12 },
    parts: { name: 'parts', parts: [{ name: 'API', value: 3 }] },
  });
  expect(svg).toContain('aria-label="Kills: &lt;bare> &amp; &quot;quick&quot; 4.00 ms"');
  expect(svg).not.toContain('<bare>');
});

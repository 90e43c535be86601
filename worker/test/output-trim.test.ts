import { describe, expect, test } from 'vitest';
import { type OutputRow, planTrim, ROW_COST_BYTES } from '../durable/job/output-trim.ts';

const bytes = (start: number, end: number): OutputRow => ({ start, end, isGap: false });
const gap = (start: number, end: number): OutputRow => ({ start, end, isGap: true });

describe('what is removed from output', () => {
  test('is as few whole rows as free what is needed', () => {
    const rows = [bytes(10, 1_010), bytes(1_010, 2_010), bytes(2_010, 3_010)];
    expect(planTrim(bytes(0, 10), rows, 1_000, 32)).toEqual({ gapStart: 10, from: 10, to: 1_010, freed: 1_000 });
    expect(planTrim(bytes(0, 10), rows, 1_001, 32)).toMatchObject({ to: 2_010, freed: 2_000 + ROW_COST_BYTES });
  });

  test('adds to the gap that lies before it', () => {
    const plan = planTrim(gap(10, 500), [bytes(500, 600), bytes(600, 700)], 1, 32);
    expect(plan).toEqual({ gapStart: 10, from: 500, to: 600, freed: 100 + ROW_COST_BYTES });
  });

  test('adds to the gap that is its first row, which itself frees nothing', () => {
    expect(planTrim(null, [gap(0, 500), bytes(500, 600)], 1, 32)).toEqual({
      gapStart: 0,
      from: 0,
      to: 600,
      freed: 100 + ROW_COST_BYTES,
    });
  });

  test('takes in the gap that comes next, also beyond the last row that it may take', () => {
    expect(planTrim(null, [bytes(0, 100), gap(100, 200), bytes(200, 300)], 1, 32)).toMatchObject({ to: 200 });
    expect(planTrim(null, [bytes(0, 100), gap(100, 200), bytes(200, 300)], 999, 1)).toMatchObject({ to: 200 });
  });

  test('is no more rows than are allowed', () => {
    const rows = Array.from({ length: 10 }, (_, index) => bytes(index * 100, index * 100 + 100));
    expect(planTrim(null, rows, 1_000_000, 3)).toMatchObject({ to: 300 });
  });

  test('is nothing where there are no bytes', () => {
    expect(planTrim(bytes(0, 10), [], 1, 32)).toBeNull();
    expect(planTrim(null, [gap(0, 100)], 1, 32)).toBeNull();
  });
});

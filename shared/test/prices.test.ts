import { expect, test } from 'vitest';
import { BILLED, freePlanShares, marginalUsd, monthlyUsd, PLAN_USD_PER_MONTH, PRICES } from '#shared/prices';

test('a run more costs its rows, requests and storage', () => {
  expect(marginalUsd({ objectRowsWritten: 31, d1RowsWritten: 11, objectRequests: 9 })).toBeCloseTo(0.00004335, 10);
  expect(marginalUsd({ objectStorage: 1, d1Storage: 1, r2Storage: 1 })).toBeCloseTo(0.965, 10);
});

test('what is included is not billed', () => {
  expect(monthlyUsd({})).toBe(PLAN_USD_PER_MONTH);
  const included = Object.fromEntries(BILLED.map((billed) => [billed, PRICES[billed].included]));
  expect(monthlyUsd(included)).toBe(PLAN_USD_PER_MONTH);
  expect(monthlyUsd({ ...included, objectRowsWritten: 52_000_000 })).toBeCloseTo(PLAN_USD_PER_MONTH + 2, 10);
});

test('of the free plan, what runs out first comes first', () => {
  expect(freePlanShares({ objectRequests: 10_000, d1RowsWritten: 150_000 })).toEqual([
    { billed: 'd1RowsWritten', share: 1.5 },
    { billed: 'objectRequests', share: 0.1 },
  ]);
});

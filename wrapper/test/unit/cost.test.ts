import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { PLAN_USD_PER_MONTH } from '#shared/prices';
import { COST_DOC, withFigures } from '../../../scripts/cost-doc.ts';
import { costJson, costText, parseCost } from '../../src/cli/subcommands/cost.ts';

function fleetOf(...flags: string[]) {
  const options = parseCost(flags);
  if (options === null) throw new Error('that asked for help');
  return options.fleet;
}

const IDLE = ['--jobs', '3', '--runs-per-day', '0', '--watchers', '0', '--kills-per-day', '0'];

test('a fleet has defaults, and flags for each part of it', () => {
  expect(fleetOf()).toEqual({
    jobs: 100,
    runsPerDay: 24,
    minutesPerRun: 5,
    outputKibPerRun: 16,
    watchers: 0.1,
    killsPerDay: 1,
    hasBucket: false,
  });
  expect(fleetOf('--jobs', '7', '--minutes', '0.5', '--output', '0', '--watchers', '3')).toMatchObject({
    jobs: 7,
    minutesPerRun: 0.5,
    outputKibPerRun: 0,
    watchers: 3,
  });
});

test('with a bucket old output is stored there, unless it is too little', () => {
  expect(costText(fleetOf('--bucket', '--output', '1000'))).toMatch(/^R2 storage, GB +[\d.]+ +10 +[\d.]+$/m);
  expect(costText(fleetOf('--bucket', '--output', '10'))).not.toContain('R2');
});

test('the table has the bill, what it is for, and the free plan', () => {
  const text = costText(fleetOf());
  expect(text).toMatch(
    /^100 jobs, each with 24 runs a day of 5 minutes and 16 KiB of output;\n0\.1 watchers, 1 kill a day\n/,
  );
  expect(text).toMatch(/^object rows written +[\d,]+ +50,000,000 +[\d.]+$/m);
  expect(text).toMatch(/^the plan +5\.00$/m);
  expect(text).toMatch(/^starts and ends of runs +[\d.]+ +\d+ %$/m);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});

test('the columns of a table end at the same place', () => {
  const bill = costText(fleetOf()).split('\n\n')[1] ?? '';
  expect(new Set(bill.split('\n').map((line) => line.length)).size).toBe(1);
});

test('a fleet that does nothing costs the plan, and fits the free plan', () => {
  expect(costJson(fleetOf(...IDLE))).toMatchObject({ usd: PLAN_USD_PER_MONTH, free_plan: { is_enough: true } });
  expect(costText(fleetOf(...IDLE))).toMatch(/^Free plan: enough, with \d+ % of its /m);
});

test('a fleet that is too large for the free plan is told which part of it would do', () => {
  const text = costText(fleetOf('--jobs', '100000'));
  expect(text).toMatch(/^Free plan: not enough, it would take [\d,]+ % of its .+\nIt is enough for \d+ such jobs?$/m);
});

test('JSON has the same in the names of the API', () => {
  expect(costJson(fleetOf())).toMatchObject({
    fleet: { runs_per_day: 24, output_kib_per_run: 16 },
    usage: { object_rows_written: expect.any(Number), d1_rows_written: expect.any(Number) },
    free_plan: { jobs: expect.any(Number), shares: expect.arrayContaining([]) },
    prices_as_of: expect.any(String),
  });
});

test('docs/cost.md has the figures of now: after a change of a budget or a price, run node scripts/cost-doc.ts', async () => {
  const text = await readFile(COST_DOC, 'utf8');
  expect(text).toBe(withFigures(text));
});

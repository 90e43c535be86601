/**
 * What is billed for each thing that happens often: rows written, alarms and requests, counted on the local runtime by the
 * row budget test, and dollars by the price list. These are counts, the same on any machine.
 */
import { BUDGETED, type Budgeted, type Cost, UNWATCHED_FRAMES_PER_MINUTE } from '#shared/cost-model';
import { DAYS_PER_MONTH, usdOf } from '#shared/fleet-cost';
import type { Bench, BenchContext } from '../bench.ts';
import { count, type Quantity } from '../report/quantity.ts';
import type { Aim, BenchResult } from '../report/result.ts';
import { countCosts } from './counted-costs.ts';

const MINUTES_PER_MONTH = DAYS_PER_MONTH * 24 * 60;

const COLUMNS: readonly (readonly [column: string, value: keyof Cost])[] = [
  ['object rows', 'objectRows'],
  ['D1 rows', 'd1Rows'],
  ['setAlarm', 'setAlarms'],
  ['alarms', 'alarms'],
  ['requests', 'requests'],
];

export const costBench: Bench = { name: 'cost', title: 'What is billed for what happens', run: measure };

async function measure({ cleanup, progress }: BenchContext): Promise<BenchResult> {
  progress('counting rows, alarms and requests');
  const costs = await countCosts(cleanup);
  return {
    tables: [
      {
        title: 'counted; dollars beyond what the plan includes',
        columns: [...COLUMNS.map(([column]) => column), 'dollars'],
        rows: [...costs].map(([line, cost]) => ({
          name: BUDGETED[line],
          cells: [...COLUMNS.map(([, value]) => count(cost[value])), dollars(usdOf(cost))],
        })),
      },
    ],
    aims: aims((line) => costs.get(line) ?? NOT_COUNTED),
    notes: [],
  };
}

const NOT_COUNTED: Cost = {
  objectRows: Number.NaN,
  d1Rows: Number.NaN,
  setAlarms: Number.NaN,
  alarms: Number.NaN,
  requests: Number.NaN,
  workerRequests: Number.NaN,
};

function aims(costOf: (line: Budgeted) => Cost): Aim[] {
  const objectRows = (line: Budgeted, most: number) =>
    atMost(`${BUDGETED[line]}: object rows`, count(costOf(line).objectRows), count(most));
  const d1Rows = (line: Budgeted, most: number) =>
    atMost(`${BUDGETED[line]}: D1 rows`, count(costOf(line).d1Rows), count(most));
  const removedFrames = UNWATCHED_FRAMES_PER_MINUTE * MINUTES_PER_MONTH;
  const talkativeUsd = usdOf(costOf('lineASecondMinute')) * MINUTES_PER_MONTH + usdOf({ objectRows: removedFrames });
  const shortUsd = usdOf(costOf('shortRun')) + usdOf(costOf('removal'));
  return [
    objectRows('shortRun', 12),
    d1Rows('shortRun', 5),
    atMost('short run with its removal', dollars(shortUsd), dollars(0.000016)),
    objectRows('silentHour', 60),
    atMost('silent run, an hour', dollars(usdOf(costOf('silentHour'))), dollars(0.00007)),
    atMost('a line a second, unwatched, a month, with its removal', dollars(talkativeUsd), dollars(0.6)),
    objectRows('fastSecond', 20),
    objectRows('kill', 25),
    d1Rows('kill', 8),
    objectRows('reconnect', 6),
  ];
}

function atMost(name: string, measured: Quantity, limit: Quantity): Aim {
  return { name, measured, relation: '≤', limit };
}

function dollars(value: number): Quantity {
  return { value, unit: '$' };
}

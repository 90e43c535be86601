/**
 * What becomes of output: what it costs the command to print under leash, how fast it gets into storage, and how soon a line
 * is with who watches.
 */
import type { Bench, BenchContext } from '../bench.ts';
import { BenchPlane } from '../measure/bench-plane.ts';
import { median } from '../measure/statistics.ts';
import { count, ms, quantilesMs } from '../report/quantity.ts';
import type { BenchResult, Row } from '../report/result.ts';
import { measureCommandTimes } from './command-time.ts';
import { type Delivery, measureDelivery } from './delivery.ts';
import { OutputFloor } from './floor.ts';
import { measureLineDelays } from './line-delay.ts';

const LEAST_DELIVERY_MB_PER_SECOND = 25;
const LINE_DELAY_MS = 30;
/** At 50 MB/s the command is to take no longer; this much is noise. */
const MOST_SLOWER_PERCENT = 2;

export const outputBench: Bench = {
  name: 'output',
  title: 'What printing costs the command, and how soon output is stored and seen',
  run: measure,
};

async function measure(context: BenchContext): Promise<BenchResult> {
  const plane = await BenchPlane.start(context.cleanup);
  const floor = await OutputFloor.start(context.cleanup, plane.directory);
  const lines = await measureLineDelays(context, plane, floor);
  const deliveries = await measureDelivery(context, plane, floor);
  const times = await measureCommandTimes(context);
  const rate = median(deliveries.map(({ megabytesPerSecond }) => megabytesPerSecond));
  return {
    tables: [
      times.table,
      {
        title: 'delivery into storage, one wrapper',
        columns: ['n', 'p50'],
        rows: [
          deliveryRow('floor: bare Node, ws, a file', deliveries, 'floorMegabytesPerSecond'),
          deliveryRow('leash', deliveries, 'megabytesPerSecond'),
        ],
      },
      {
        title: 'from a printed line to a viewer’s socket',
        columns: ['n', 'p50', 'p90', 'p99'],
        rows: [delayRow('floor: bare Node, ws', lines.floor), delayRow('leash', lines.leash)],
      },
    ],
    aims: [
      {
        name: 'a command that prints 50 MB/s takes no longer (2 % for noise)',
        measured: { value: times.slowerPercent, unit: '%' },
        relation: '≤',
        limit: { value: MOST_SLOWER_PERCENT, unit: '%' },
      },
      {
        name: 'delivery into storage from one wrapper',
        measured: { value: rate, unit: 'MB/s' },
        relation: '≥',
        limit: { value: LEAST_DELIVERY_MB_PER_SECOND, unit: 'MB/s' },
      },
      {
        name: 'from a line to a viewer, p50',
        measured: ms(median(lines.leash)),
        relation: '<',
        limit: ms(LINE_DELAY_MS),
      },
    ],
    notes: [],
  };
}

function deliveryRow(name: string, deliveries: readonly Delivery[], which: keyof Delivery): Row {
  const rates = deliveries.map((delivery) => delivery[which]);
  return {
    name,
    cells: [count(rates.length), { value: median(rates), unit: 'MB/s' }],
  };
}

function delayRow(name: string, delays: readonly number[]): Row {
  return { name, cells: [count(delays.length), ...quantilesMs(delays, 0.5, 0.9, 0.99)] };
}

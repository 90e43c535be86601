/**
 * The dashboard with ten thousand runs, in a real browser: the overview and the timeline. The built page is served by the
 * local runtime; the lists and the changes that it gets are made up, so that what is measured is the page alone. With
 * `--slowdown 4` the processor looks four times as slow to the page, about as on a phone.
 */

import { openBrowser } from '../../test/support/browser.ts';
import { firstScriptBytes } from '../../test/support/first-script.ts';
import type { Bench, BenchContext } from '../bench.ts';
import { BenchPlane } from '../measure/bench-plane.ts';
import { median, quantile } from '../measure/statistics.ts';
import { ms } from '../report/quantity.ts';
import type { Aim, BenchResult, Table } from '../report/result.ts';
import { BUSY_COLUMNS, type Busy, busyRow } from './busy-page.ts';
import { visitOverview } from './overview.ts';
import { type Shape, visitTimeline } from './timeline.ts';
import { type PageVisit, Visitor } from './visit.ts';

const RUNS = 10_000;
/** A few lanes full of bars, and many lanes. */
const SHAPES: readonly Shape[] = [
  { jobs: 20, longEvery: 1 },
  { jobs: 200, longEvery: 4 },
];
const LOAD_MS = 2_000;
/** Shorter than what a person notices as a delay between an action and its effect. */
const LONGEST_TASK_MS = 100;
/** As a share of a frame while nothing happens: every second frame of the screen. */
const FRAME_P95 = 2;
const SCRIPT_KIB = 50;

export const pageBench: Bench = {
  name: 'page',
  title: `The dashboard with ${RUNS.toLocaleString('en')} runs`,
  run: measure,
};

interface View {
  readonly name: string;
  readonly visit: PageVisit;
}

async function measure({ options, cleanup, progress }: BenchContext): Promise<BenchResult> {
  const runs = options.isQuick ? 1_000 : RUNS;
  const plane = await BenchPlane.start(cleanup);
  const { browser, close } = await openBrowser();
  cleanup.add(close);
  const visitor = new Visitor(browser, plane, options.slowdown);
  progress('the overview');
  const overview = { name: 'overview', visit: await visitOverview(visitor, runs) };
  const frameMs = median(overview.visit.busy[0]?.frameMs ?? []);
  const timelines: View[] = [];
  for (const shape of options.isQuick ? SHAPES.slice(0, 1) : SHAPES) {
    progress(`the timeline, ${shape.jobs} jobs`);
    const name = `timeline, ${shape.jobs} jobs`;
    timelines.push({ name, visit: await visitTimeline(visitor, runs, shape) });
  }
  const views = [overview, ...timelines];
  const scriptKib = (await firstScriptBytes()) / 1024;
  return {
    tables: [loadTable(views), ...views.map(busyTable)],
    aims: [
      {
        name: 'script of the first view (gzip)',
        measured: { value: scriptKib, unit: 'KiB' },
        relation: '≤',
        limit: { value: SCRIPT_KIB, unit: 'KiB' },
      },
      ...views.flatMap((view) => aims(view, frameMs)),
    ],
    notes: options.slowdown === 1 ? [] : [`The processor was slowed down ${options.slowdown} times.`],
  };
}

function loadTable(views: readonly View[]): Table {
  return {
    title: 'until all are there',
    columns: ['without runs', 'with runs', 'works', 'longest task'],
    rows: views.map(({ name, visit: { loadMs, emptyLoadMs, loading } }) => ({
      name,
      cells: [emptyLoadMs, loadMs, loading.totalMs, loading.longestTaskMs].map(ms),
    })),
  };
}

function busyTable({ name, visit }: View): Table {
  return { title: name, columns: BUSY_COLUMNS, rows: visit.busy.map(busyRow) };
}

function aims({ name, visit: { loadMs, busy } }: View, frameMs: number): Aim[] {
  const worst = (value: (busy: Busy) => number) => Math.max(...busy.map(value));
  return [
    { name: `${name}: all are there after`, measured: ms(loadMs), relation: '≤', limit: ms(LOAD_MS) },
    {
      name: `${name}: the longest task`,
      measured: ms(worst(({ longestTaskMs }) => longestTaskMs)),
      relation: '≤',
      limit: ms(LONGEST_TASK_MS),
    },
    {
      name: `${name}: 19 of 20 frames, at most 2 × one while nothing happens`,
      measured: ms(worst(({ frameMs }) => quantile(frameMs, 0.95))),
      relation: '≤',
      limit: ms(FRAME_P95 * frameMs),
    },
  ];
}

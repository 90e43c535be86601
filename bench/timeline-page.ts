/**
 * The timeline with ten thousand runs in view, in a real browser.
 *
 *     npm run build && node bench/timeline-page.ts [--runs 10000] [--slowdown 1,4]
 *
 * The built page is served by the local runtime; the runs are made up here, so that what is measured is the page alone.
 * They are spread over a day and over few or many lanes. It prints when all was there, and then for what a hand does
 * (dragging to and fro, zooming, turning the wheel, pointing, scrolling) and while runs begin, the times between frames
 * and how long the page's main thread worked, in all and at a stretch.
 */
import { parseArgs } from 'node:util';
import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import type { Job, Run } from '#protocol/api';
import { openBrowser } from '../test/support/browser.ts';
import { TestEnvironment } from '../test/support/test-environment.ts';
import { jobName, machineName, madeUpRun, runId, timeOf, traceTasks, whileBusy } from './page-measure.ts';

const PAGE_SIZE = 500;
const DAY_MS = 24 * 3_600_000;
const CHANGES_A_SECOND = 100;
const CHANGING_MS = 5_000;
const CHANGE_EVERY_MS = 100;
const MACHINES = 50;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    slowdown: { type: 'string', default: '1,4' },
  },
});
const RUNS = Number(options.runs);
const BEGAN = Date.now() - DAY_MS;

interface Shape {
  readonly jobs: number;
  /** One in so many takes minutes; the others take seconds. */
  readonly longEvery: number;
}
const SHAPES: readonly Shape[] = [
  { jobs: 5, longEvery: 4 },
  { jobs: 20, longEvery: 1 },
  { jobs: 200, longEvery: 4 },
];

const environment = await TestEnvironment.create({});
const { browser, close } = await openBrowser();
try {
  for (const slowdown of options.slowdown.split(',').map(Number)) {
    for (const shape of SHAPES) await measure(browser, shape, slowdown);
  }
} finally {
  await close();
  await environment.dispose();
}

async function measure(browser: Browser, shape: Shape, slowdown: number): Promise<void> {
  console.log(
    `\n${RUNS} runs of ${shape.jobs} jobs, ${shape.longEvery === 1 ? 'all' : `one in ${shape.longEvery}`} long; processor ${slowdown === 1 ? 'as it is' : `slowed down ${slowdown} times`}`,
  );
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${environment.url}/#token=${environment.operatorToken}`);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  const runs = Array.from({ length: RUNS }, (_, number) => run(number, shape)).reverse();
  const { socket } = await answerWith(page, runs, shape.jobs);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: slowdown });

  const stopTrace = await traceTasks(devtools);
  const startedAt = performance.now();
  await page.goto(`${environment.url}/timeline`);
  await page.locator('main.timeline[aria-busy="false"] .lane .bar').first().waitFor();
  const loadMs = Math.round(performance.now() - startedAt);
  const tasks = await stopTrace();
  console.log(`  all there after ${loadMs} ms; ${await page.locator('.lane .bar').count()} bars drawn; ${tasks}`);
  const plot = await page.locator('.lane .plot').first().boundingBox();
  if (plot === null) throw new Error('there is no lane');
  const [middle, y] = [plot.x + plot.width / 2, plot.y + 16];

  const during = async (what: string, act: () => Promise<void>) =>
    console.log(`  ${what}: ${await whileBusy(page, devtools, act)}`);
  const drag = async (byPx: number) => {
    await page.mouse.move(middle, y);
    await page.mouse.down();
    await page.mouse.move(middle + byPx, y, { steps: 60 });
    await page.mouse.up();
  };
  const dragAbout = async () => {
    for (const byPx of [450, 450, -450, 450, -450, -450]) await drag(byPx);
  };
  const zoomAt = async (turn: number) => {
    await page.mouse.move(middle, y);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, turn);
    await page.keyboard.up('Control');
    await page.waitForTimeout(300);
  };

  await during('dragging a day', dragAbout);
  await during('zooming to an hour and to a week', async () => {
    for (const turn of [-120, -120, 120, 120, 120, 120, -120, -120]) await zoomAt(turn);
  });
  await zoomAt(-120);
  await during('dragging six hours', dragAbout);
  await zoomAt(120);
  await page.keyboard.press('n');
  await during('turning the wheel', async () => {
    for (let step = 0; step < 120; step += 1) await page.mouse.wheel(step < 60 ? -60 : 60, 0);
    await page.waitForTimeout(300);
  });
  await page.mouse.move(plot.x, y);
  await during('pointing', () => page.mouse.move(plot.x + plot.width, y + 80, { steps: 120 }));
  await during('scrolling', async () => {
    for (let step = 0; step < 80; step += 1) await page.mouse.wheel(0, step < 40 ? 200 : -200);
  });
  await during(`${CHANGES_A_SECOND} changes a second`, async () => change(await socket, shape));
  await page.close();
}

/** @returns the page's watch socket, for when it has one */
async function answerWith(
  page: Page,
  runs: readonly Run[],
  jobs: number,
): Promise<{ readonly socket: Promise<WebSocketRoute> }> {
  const { promise, resolve } = Promise.withResolvers<WebSocketRoute>();
  await page.route('**/api/v1/jobs?*', (route) =>
    route.fulfill({ json: { jobs: Array.from({ length: jobs }, (_, index) => job(index)), next_cursor: null } }),
  );
  await page.route('**/api/v1/runs?*', (route) => {
    const asked = new URL(route.request().url()).searchParams;
    const since = asked.get('since') ?? '';
    const until = asked.get('until') ?? '9';
    const found =
      asked.get('state') === null
        ? runs.filter(({ started_at, ended_at }) => (ended_at ?? '9') >= since && started_at < until)
        : runs.filter(({ state }) => state === 'running');
    const from = Number(asked.get('cursor') ?? 0);
    const next = from + PAGE_SIZE < found.length ? String(from + PAGE_SIZE) : null;
    return route.fulfill({ json: { runs: found.slice(from, from + PAGE_SIZE), next_cursor: next } });
  });
  await page.routeWebSocket('**/api/v1/watch', (socket) => {
    socket.onMessage((message) => socket.send(message));
    resolve(socket);
  });
  return { socket: promise };
}

/** Runs begin and end. */
async function change(socket: WebSocketRoute, shape: Shape): Promise<void> {
  const perTick = (CHANGES_A_SECOND * CHANGE_EVERY_MS) / 1000;
  for (let tick = 0; tick < CHANGING_MS / CHANGE_EVERY_MS; tick += 1) {
    for (let index = 0; index < perTick; index += 1) {
      const number = RUNS + tick * perTick + index;
      const { id, job, machine } = run(number, shape);
      const begun = madeUpRun({ id, job, machine, started_at: timeOf(Date.now()) });
      socket.send(JSON.stringify({ type: 'run', run: begun }));
    }
    await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS));
  }
}

/** Long is up to a quarter of an hour; one in nine ends badly, and the last few live. */
function run(number: number, { jobs, longEvery }: Shape): Run {
  const share = ((number * 7919) % 1000) / 1000;
  const tookMs = number % longEvery === 0 ? 120_000 + share * 780_000 : 1_000 + share * 59_000;
  const startedAt = BEGAN + (number * DAY_MS) / RUNS;
  const endedAt = startedAt + tookMs;
  const base = {
    id: runId(number),
    job: jobName(number % jobs),
    machine: machineName(Math.floor(number / jobs) % MACHINES),
    started_at: timeOf(startedAt),
  };
  if (endedAt > Date.now()) return madeUpRun(base);
  const isBad = number % 9 === 5;
  return madeUpRun({
    ...base,
    state: isBad ? 'failed' : 'succeeded',
    final: true,
    exit_code: isBad ? 1 : 0,
    command_exit_code: isBad ? 1 : 0,
    ended_at: timeOf(endedAt),
    seq: 2,
  });
}

function job(index: number): Job {
  return {
    name: jobName(index),
    first_seen_at: timeOf(BEGAN),
    last_run: null,
    running: [],
    running_count: 0,
    recent_ends: [],
    last_ends: [],
    last_end_counts: { succeeded: 0, failed: 0, killed: 0, timed_out: 0, lost: 0, errored: 0 },
  };
}

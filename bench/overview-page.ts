/**
 * The overview with ten thousand runs, in a real browser.
 *
 *     npm run build && node bench/overview-page.ts [--runs 10000] [--jobs 200] [--slowdown 1,4]
 *
 * The built page is served by the local runtime; the lists and the changes that it gets are made up here, so that what is
 * measured is the page alone. `--slowdown 4` makes the processor look four times as slow, about that of a phone. It
 * prints how much script the first view needs, when all runs were there, and then while the list is filtered, scrolls from
 * end to end, and 500 runs a second change, the times between frames and how long the page's main thread worked, in all
 * and at a stretch.
 */
import { parseArgs } from 'node:util';
import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import type { Job, Run, RunEnd } from '#protocol/api';
import { openBrowser } from '../test/support/browser.ts';
import { firstScriptBytes } from '../test/support/first-script.ts';
import { TestEnvironment } from '../test/support/test-environment.ts';
import { jobName, machineName, madeUpRun, runId, timeOf, traceTasks, whileBusy } from './page-measure.ts';

const CHANGES_A_SECOND = 500;
const CHANGING_MS = 5_000;
const CHANGE_EVERY_MS = 100;
const SCROLL_STEPS = 200;
const PAGE_SIZE = 500;
const MACHINES_A_JOB = 30;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    jobs: { type: 'string', default: '200' },
    slowdown: { type: 'string', default: '1,4' },
  },
});
const RUNS = Number(options.runs);
const JOBS = Number(options.jobs);

console.log(`script of the first view: ${((await firstScriptBytes()) / 1024).toFixed(1)} KiB (gzip)`);
const environment = await TestEnvironment.create({});
const { browser, close } = await openBrowser();
try {
  for (const slowdown of options.slowdown.split(',').map(Number)) await measure(browser, slowdown);
} finally {
  await close();
  await environment.dispose();
}

async function measure(browser: Browser, slowdown: number): Promise<void> {
  console.log(
    `\n${RUNS} runs of ${JOBS} jobs, processor ${slowdown === 1 ? 'as it is' : `slowed down ${slowdown} times`}`,
  );
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${environment.url}/#token=${environment.operatorToken}`);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  const { socket } = await answerWithMadeUpRuns(page);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: slowdown });

  const stopTrace = await traceTasks(devtools);
  const startedAt = performance.now();
  await page.reload();
  await page.locator('main[aria-busy="false"]').waitFor();
  const loadMs = Math.round(performance.now() - startedAt);
  const tasks = await stopTrace();
  console.log(`  all there after ${loadMs} ms; ${await page.locator('.row').count()} rows drawn; ${tasks}`);

  const during = async (what: string, act: () => Promise<void>) =>
    console.log(`  ${what}: ${await whileBusy(page, devtools, act)}`);
  // Ten of each job: too few to be folded.
  await during('filtering to ten of each job', async () => {
    await page.getByLabel('Filter by job, machine or state').fill('machine:m-000');
    await page.locator('.row.inner').first().waitFor();
  });
  await during('scrolling', () => page.evaluate(scrollThrough, SCROLL_STEPS));
  await during(`${CHANGES_A_SECOND} changes a second`, async () => change(await socket));
  await page.close();
}

/** @returns the page's watch socket, for when it has one */
async function answerWithMadeUpRuns(page: Page): Promise<{ readonly socket: Promise<WebSocketRoute> }> {
  const { promise, resolve } = Promise.withResolvers<WebSocketRoute>();
  await page.route('**/api/v1/jobs?*', (route) =>
    route.fulfill({ json: { jobs: Array.from({ length: JOBS }, (_, index) => job(index)), next_cursor: null } }),
  );
  await page.route('**/api/v1/runs?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
    const count = Math.min(PAGE_SIZE, RUNS - from);
    const next = from + count < RUNS ? String(from + count) : null;
    return route.fulfill({
      json: { runs: Array.from({ length: count }, (_, index) => run(from + index)), next_cursor: next },
    });
  });
  await page.routeWebSocket('**/api/v1/watch', (socket) => {
    socket.onMessage((message) => socket.send(message));
    resolve(socket);
  });
  return { socket: promise };
}

async function change(socket: WebSocketRoute): Promise<void> {
  const perTick = (CHANGES_A_SECOND * CHANGE_EVERY_MS) / 1000;
  for (let tick = 0; tick < CHANGING_MS / CHANGE_EVERY_MS; tick += 1) {
    for (let index = 0; index < perTick; index += 1) {
      const changed = { ...run((tick * perTick + index) % RUNS), seq: tick + 2 };
      socket.send(JSON.stringify({ type: 'run', run: changed }));
    }
    await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS));
  }
}

function ago(seconds: number): string {
  return timeOf(Date.now() - seconds * 1000);
}

function run(number: number): Run {
  return madeUpRun({
    id: runId(number),
    job: jobName(number % JOBS),
    machine: machineName(Math.floor(number / JOBS)),
    started_at: ago(number),
  });
}

function job(index: number): Job {
  const ends = Array.from({ length: 20 }, (_, nth): RunEnd => {
    const isBad = nth % 7 === 3;
    return {
      run: runId(RUNS + index * 20 + nth),
      machine: 'm-0000.example.com',
      state: isBad ? 'failed' : 'succeeded',
      final: true,
      exit_code: isBad ? 1 : 0,
      started_at: ago(nth * 1000 + 100),
      ended_at: ago(nth * 1000),
    };
  });
  return {
    name: jobName(index),
    first_seen_at: ago(1e6),
    last_run: null,
    running: [],
    running_count: RUNS / JOBS,
    recent_ends: ends,
    last_ends: Array.from({ length: MACHINES_A_JOB }, (_, nth) => ({
      machine: machineName(nth),
      run: runId(RUNS + index * 20 + nth),
      state: 'succeeded' as const,
      exit_code: 0,
      ended_at: ago(nth * 1000),
    })),
    last_end_counts: { succeeded: MACHINES_A_JOB, failed: 0, killed: 0, timed_out: 0, lost: 0, errored: 0 },
  };
}

/** Runs in the page. */
async function scrollThrough(steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) {
    scrollTo(0, ((document.documentElement.scrollHeight - innerHeight) * step) / steps);
    await new Promise(requestAnimationFrame);
  }
  scrollTo(0, 0);
}

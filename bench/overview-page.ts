/**
 * The overview with ten thousand runs, in a real browser.
 *
 *     npm run build && node bench/overview-page.ts [--runs 10000] [--jobs 200] [--slowdown 1,4]
 *
 * The built page is served by the local runtime; the lists and the changes that it gets are made up here, so that what is
 * measured is the page alone. `--slowdown 4` makes the processor look four times as slow, about that of a phone. It
 * prints how much script the first view needs, when all runs were there, the times between frames while the list scrolls
 * from end to end and while 500 runs a second change, and how often and long the page was busy at a stretch (from 50 ms on).
 */
import { parseArgs } from 'node:util';
import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import type { Job, Run, RunEnd } from '#protocol/api';
import { openBrowser } from '../test/support/browser.ts';
import { firstScriptBytes } from '../test/support/first-script.ts';
import { World } from '../test/support/world.ts';

const CHANGES_A_SECOND = 500;
const CHANGING_MS = 5_000;
const CHANGE_EVERY_MS = 100;
const SCROLL_STEPS = 200;
const PAGE_SIZE = 500;

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
const world = await World.create({});
const { browser, close } = await openBrowser();
try {
  for (const slowdown of options.slowdown.split(',').map(Number)) await measure(browser, slowdown);
} finally {
  await close();
  await world.dispose();
}

async function measure(browser: Browser, slowdown: number): Promise<void> {
  console.log(
    `\n${RUNS} runs of ${JOBS} jobs, processor ${slowdown === 1 ? 'as it is' : `slowed down ${slowdown} times`}`,
  );
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${world.url}/#token=${world.operatorToken}`);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  const { socket } = await answerWithMadeUpRuns(page);
  await page.addInitScript(watchLongTasks);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: slowdown });

  const startedAt = performance.now();
  await page.reload();
  await page.locator('main[aria-busy="false"]').waitFor();
  const loadMs = Math.round(performance.now() - startedAt);
  console.log(
    `  all there after ${loadMs} ms; ${await page.locator('.row').count()} rows drawn; ${await longTasks(page)}`,
  );

  // Ten of each job: too few to be folded.
  await page.getByLabel('Filter by job, machine or state').fill('machine:m-000');
  await page.locator('.row.inner').first().waitFor();
  console.log(`  filtered to ten of each job; ${await longTasks(page)}`);
  console.log(`  scrolling: ${frames(await page.evaluate(scrollThrough, SCROLL_STEPS))}; ${await longTasks(page)}`);

  const [times] = await Promise.all([page.evaluate(frameTimes, CHANGING_MS), change(await socket)]);
  console.log(`  ${CHANGES_A_SECOND} changes a second: ${frames(times)}; ${await longTasks(page)}`);
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

function id(number: number): string {
  return `01J${String(number).padStart(23, '0')}`;
}

function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString();
}

function jobName(index: number): string {
  return `job-${String(index).padStart(3, '0')}`;
}

function run(number: number): Run {
  return {
    id: id(number),
    job: jobName(number % JOBS),
    instance: `i-${number}`,
    machine: `m-${String(Math.floor(number / JOBS)).padStart(4, '0')}.example.com`,
    state: 'running',
    final: false,
    connected: true,
    out_of_touch_since: null,
    exit_code: null,
    command_exit_code: null,
    signal: null,
    reason: null,
    started_at: ago(number),
    ended_at: null,
    pid: number + 1,
    command: `sh -c 'sleep ${number}'`,
    wrapper_version: '0.1.0',
    timeout_ms: null,
    grace_ms: 5000,
    output_bytes: 0,
    seq: 1,
  };
}

function job(index: number): Job {
  const ends = Array.from({ length: 20 }, (_, nth): RunEnd => {
    const isBad = nth % 7 === 3;
    return {
      run: id(RUNS + index * 20 + nth),
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
  };
}

function frames(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  return `a frame every ${at(0.5)} ms (median), ${at(0.95)} ms (19 of 20), ${at(1)} ms (worst)`;
}

async function longTasks(page: Page): Promise<string> {
  const tasks = await page.evaluate(() =>
    performance.getEntriesByName('long').map(({ duration }) => Math.round(duration)),
  );
  await page.evaluate(() => performance.clearMeasures('long'));
  return tasks.length === 0 ? 'never busy for long' : `busy ${tasks.length} times for up to ${Math.max(...tasks)} ms`;
}

/** Runs in the page, before its own script. */
function watchLongTasks(): void {
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      performance.measure('long', { start: startTime, duration });
    }
  }).observe({ entryTypes: ['longtask'] });
}

/** Runs in the page. */
async function scrollThrough(steps: number): Promise<number[]> {
  const times: number[] = [];
  let last = performance.now();
  for (let step = 0; step < steps; step += 1) {
    scrollTo(0, ((document.documentElement.scrollHeight - innerHeight) * step) / steps);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  scrollTo(0, 0);
  return times;
}

/** Runs in the page. */
async function frameTimes(forMs: number): Promise<number[]> {
  const times: number[] = [];
  let last = performance.now();
  const end = last + forMs;
  while (last < end) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}

/** The overview with thousands of runs: until all are there, and while the list is filtered, scrolled, and changes. */
import type { Page } from 'playwright-core';
import type { Job, Run, RunEnd } from '#protocol/api';
import { type Busy, traceTasks, whileBusy } from './busy-page.ts';
import { answerWith, jobName, machineName, madeUpRun, runId, sendChanges, timeOf } from './made-up-runs.ts';
import type { PageVisit, Visitor } from './visit.ts';

const JOBS = 200;
const CHANGES = { perSecond: 500, seconds: 5 } as const;
const SCROLL_STEPS = 200;
const MACHINES_A_JOB = 30;
const FRAMES_OF_NOTHING_MS = 2_000;

export async function visitOverview(visitor: Visitor, runCount: number): Promise<PageVisit> {
  const { page, devtools } = await visitor.open();
  const all = Array.from({ length: runCount }, (_, index) => run(index));
  const jobs = Array.from({ length: JOBS }, (_, index) => job(index, runCount));
  let shown: readonly Run[] = [];
  const { socket } = await answerWith(page, jobs, () => shown);
  const load = async () => {
    const beganAt = performance.now();
    await page.reload();
    await page.locator('main[aria-busy="false"]').waitFor();
    return performance.now() - beganAt;
  };
  const emptyLoadMs = await load();
  shown = all;
  const stop = await traceTasks(devtools);
  const loadMs = await load();
  const loading = { ...(await stop()), what: 'loading', frameMs: [] };
  const busy: Busy[] = [];
  const during = async (what: string, act: () => Promise<void>) =>
    busy.push(await whileBusy(page, devtools, what, act));
  await during('floor: nothing', () => page.waitForTimeout(FRAMES_OF_NOTHING_MS));
  await during('filtering to ten of each job', () => filterToFew(page));
  await during('scrolling from end to end', () => page.evaluate(scrollThrough, SCROLL_STEPS));
  const server = await socket;
  await during(`${CHANGES.perSecond} changes a second`, () =>
    sendChanges(server, CHANGES, (nth) => ({ ...run(nth % runCount), seq: nth + 2 })),
  );
  await page.close();
  return { loadMs, emptyLoadMs, loading, busy };
}

/** Too few to be folded. */
async function filterToFew(page: Page): Promise<void> {
  await page.getByLabel('Filter by job, machine or state').fill('machine:m-000');
  await page.locator('.row.inner').first().waitFor();
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

function job(index: number, runCount: number): Job {
  const ends = Array.from({ length: 20 }, (_, nth): RunEnd => {
    const isBad = nth % 7 === 3;
    return {
      run: runId(runCount + index * 20 + nth),
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
    running_count: runCount / JOBS,
    recent_ends: ends,
    last_ends: Array.from({ length: MACHINES_A_JOB }, (_, nth) => ({
      machine: machineName(nth),
      run: runId(runCount + index * 20 + nth),
      state: 'succeeded' as const,
      exit_code: 0,
      ended_at: ago(nth * 1000),
    })),
    last_end_counts: { succeeded: MACHINES_A_JOB, failed: 0, killed: 0, timed_out: 0, lost: 0, errored: 0, skipped: 0 },
    about: null,
  };
}

/** Runs in the page: in that many steps, or as many as there are frames in four seconds. */
async function scrollThrough(steps: number): Promise<void> {
  const deadline = performance.now() + 4_000;
  for (let step = 0; step < steps && performance.now() < deadline; step += 1) {
    scrollTo(0, ((document.documentElement.scrollHeight - innerHeight) * step) / steps);
    await new Promise(requestAnimationFrame);
  }
  scrollTo(0, 0);
}

/** The timeline with thousands of runs in view: until all are there, and for what a hand does. */
import type { Page } from 'playwright-core';
import type { Job, Run } from '#protocol/api';
import { type Busy, traceTasks, whileBusy } from './busy-page.ts';
import { answerWith, jobName, machineName, madeUpRun, runId, sendChanges, timeOf } from './made-up-runs.ts';
import type { PageVisit, Visitor } from './visit.ts';

const DAY_MS = 24 * 3_600_000;
const CHANGES = { perSecond: 100, seconds: 5 } as const;
const MACHINES = 50;

/** How the runs of a day are spread. */
export interface Shape {
  readonly jobs: number;
  /** One in so many takes minutes; the others take seconds. */
  readonly longEvery: number;
}

export async function visitTimeline(visitor: Visitor, runCount: number, shape: Shape): Promise<PageVisit> {
  const { page, devtools } = await visitor.open();
  const day = new Day(runCount, shape);
  let shown: readonly Run[] = [];
  const jobs = Array.from({ length: shape.jobs }, (_, index) => job(index));
  const { socket } = await answerWith(page, jobs, (asked) => matching(shown, asked));
  const load = async () => {
    const beganAt = performance.now();
    await page.goto(`${visitor.url}/timeline`);
    await page.locator('main.timeline[aria-busy="false"]').waitFor();
    if (shown.length > 0) await page.locator('.lane .bar').first().waitFor();
    return performance.now() - beganAt;
  };
  const emptyLoadMs = await load();
  shown = Array.from({ length: runCount }, (_, number) => day.run(number)).reverse();
  const stop = await traceTasks(devtools);
  const loadMs = await load();
  const loading = { ...(await stop()), what: 'loading', frameMs: [] };
  const busy: Busy[] = [];
  const during = async (what: string, act: () => Promise<void>) =>
    busy.push(await whileBusy(page, devtools, what, act));
  const hand = await Hand.on(page);
  await during('dragging a day', () => hand.dragAbout());
  await during('zooming to an hour and to a week', () => hand.zoomInAndOut());
  await hand.zoom(-120);
  await during('dragging six hours', () => hand.dragAbout());
  await hand.zoom(120);
  await page.keyboard.press('n');
  await during('turning the wheel', () => hand.turnWheel());
  await during('pointing', () => hand.point());
  await during('scrolling', () => hand.scroll());
  const server = await socket;
  await during(`${CHANGES.perSecond} changes a second`, () => sendChanges(server, CHANGES, (nth) => day.begun(nth)));
  await page.close();
  return { loadMs, emptyLoadMs, loading, busy };
}

function matching(runs: readonly Run[], asked: URLSearchParams): readonly Run[] {
  if (asked.get('state') !== null) return runs.filter(({ state }) => state === 'running');
  const since = asked.get('since') ?? '';
  const until = asked.get('until') ?? '9';
  return runs.filter(({ started_at, ended_at }) => (ended_at ?? '9') >= since && started_at < until);
}

/** How long a gesture may take: a step waits for a frame, and a slow machine draws few. */
const GESTURE_MS = 4_000;
const DRAG_STEPS = 30;

/** What a hand does with a mouse over the lanes. Each method is a gesture. */
class Hand {
  readonly #page: Page;
  readonly #left: number;
  readonly #width: number;
  readonly #y: number;

  private constructor(page: Page, { x, y, width }: { x: number; y: number; width: number }) {
    this.#page = page;
    this.#left = x;
    this.#width = width;
    this.#y = y + 16;
  }

  static async on(page: Page): Promise<Hand> {
    const plot = await page.locator('.lane .plot').first().boundingBox();
    if (plot === null) throw new Error('the timeline has no lane');
    return new Hand(page, plot);
  }

  async dragAbout(): Promise<void> {
    await this.#move(0);
    await this.#page.mouse.down();
    // To one side, to the other, and back.
    await this.#steps(4 * DRAG_STEPS, (share) => this.#move(450 * Math.sin(share * 2 * Math.PI)));
    await this.#page.mouse.up();
  }

  async zoom(turn: number): Promise<void> {
    await this.#move(0);
    await this.#page.keyboard.down('Control');
    await this.#page.mouse.wheel(0, turn);
    await this.#page.keyboard.up('Control');
    await this.#page.waitForTimeout(300);
  }

  async zoomInAndOut(): Promise<void> {
    for (const turn of [-120, -120, 120, 120, 120, 120, -120, -120]) await this.zoom(turn);
  }

  async turnWheel(): Promise<void> {
    await this.#steps(120, (share) => this.#page.mouse.wheel(share < 0.5 ? -60 : 60, 0));
    await this.#page.waitForTimeout(300);
  }

  async point(): Promise<void> {
    await this.#steps(120, (share) => this.#page.mouse.move(this.#left + share * this.#width, this.#y + share * 80));
  }

  async scroll(): Promise<void> {
    await this.#steps(80, (share) => this.#page.mouse.wheel(0, share < 0.5 ? 200 : -200));
  }

  #move(fromMiddlePx: number): Promise<void> {
    return this.#page.mouse.move(this.#left + this.#width / 2 + fromMiddlePx, this.#y);
  }

  /** @param step gets how much of the gesture is done */
  async #steps(count: number, step: (share: number) => Promise<void>): Promise<void> {
    const deadline = performance.now() + GESTURE_MS;
    for (let done = 0; done < count && performance.now() < deadline; done += 1) await step(done / count);
  }
}

/** The runs of the last 24 hours. Long is up to a quarter of an hour; one in nine ends badly, and the last few live. */
class Day {
  readonly #beganAt = Date.now() - DAY_MS;
  readonly #count: number;
  readonly #shape: Shape;

  constructor(count: number, shape: Shape) {
    this.#count = count;
    this.#shape = shape;
  }

  run(number: number): Run {
    const { jobs, longEvery } = this.#shape;
    const share = ((number * 7919) % 1000) / 1000;
    const tookMs = number % longEvery === 0 ? 120_000 + share * 780_000 : 1_000 + share * 59_000;
    const startedAt = this.#beganAt + (number * DAY_MS) / this.#count;
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

  /** One more, which begins now. */
  begun(nth: number): Run {
    const { id, job, machine } = this.run(this.#count + nth);
    return madeUpRun({ id, job, machine, started_at: timeOf(Date.now()) });
  }
}

function job(index: number): Job {
  return {
    name: jobName(index),
    first_seen_at: timeOf(Date.now() - DAY_MS),
    last_run: null,
    running: [],
    running_count: 0,
    recent_ends: [],
    last_ends: [],
    last_end_counts: { succeeded: 0, failed: 0, killed: 0, timed_out: 0, lost: 0, errored: 0, skipped: 0 },
    about: null,
  };
}

/** What a fleet of jobs costs a month, from the budgets of what happens in it and the price list. */
import { KIB, MAX_OUTPUT_FRAME_BYTES } from '#protocol/limits';
import { BUDGETS, type Cost, UNWATCHED_FRAMES_PER_MINUTE } from './cost-model.ts';
import {
  BILLED,
  type Billed,
  freePlanShares,
  MESSAGES_PER_REQUEST,
  marginalUsd,
  monthlyUsd,
  OBJECT_GB,
  type Usage,
} from './prices.ts';

/** What one frame of output costs. */
type Frame = Pick<Cost, 'objectRows' | 'requests'>;

export interface Fleet {
  readonly jobs: number;
  /** Of each job. */
  readonly runsPerDay: number;
  readonly minutesPerRun: number;
  readonly outputKibPerRun: number;
  /** Open dashboards that show the output of a running job, on average over day and night. */
  readonly watchers: number;
  /** Of the whole fleet. */
  readonly killsPerDay: number;
  /** Whether a bucket is bound, to which the output of ended runs moves. */
  readonly hasBucket: boolean;
}

/** What the fleet does that costs something. */
export const CAUSES = [
  'runs',
  'removal',
  'running',
  'output',
  'reconnects',
  'kills',
  'watchers',
  'upkeep',
  'storage',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface FleetCost {
  /** Of a month. */
  readonly usage: Usage;
  /** A month on the paid plan, with the plan itself. */
  readonly usd: number;
  /** What each cause would cost if nothing were included in the plan, the dearest first. */
  readonly causes: readonly { readonly cause: Cause; readonly usd: number }[];
  /** The shares of the free plan's limits that are used, the largest first. Above 1 it isn't enough. */
  readonly freeShares: readonly { readonly billed: Billed; readonly share: number }[];
}

export const DAYS_PER_MONTH = 30;
/** How long runs are kept: `RUN_DAYS`. */
export const KEPT_DAYS = 90;
/** Estimates: these can't be counted on the local runtime. */
export const ESTIMATES = {
  /** How long an object is awake for a request, with the D1 queries that it waits for. */
  secondsPerRequest: 0.1,
  /** A wrapper reconnects after a deploy or a broken link, so often in a day of running time. */
  reconnectsPerDay: 1,
  /** What a line of output has: a frame has at least one. */
  bytesPerLine: 80,
  /** What D1 stores of a run or a kill, with its index entries. */
  d1KbPerRow: 1.2,
  /** What an object stores of a run besides its output: its row, its events, its targets. */
  objectKbPerRun: 1,
  /** What an object stores of a frame besides its bytes. */
  objectKbPerFrame: 0.1,
  /** An object's tables, even if they are empty. */
  objectKbPerJob: 100,
} as const;

/** Less output stays in the object. */
const MIN_MOVED_KIB = 64;
/** What moves to the bucket at once, as one object of it. */
const MOVED_KIB = 8 * 1024;

const KB_PER_GB = 1e6;
const KB_PER_KIB = 1.024;
const MINUTES_PER_DAY = 24 * 60;
/** Of the budget for 5 MB/s. */
const FAST_BYTES = 5_000_000;
/** A D1 database of the free plan has at most this, though its databases may have more together. */
const FREE_D1_GB = 0.5;

/** What a frame costs, with its removal, if it comes after a pause: a minute with output costs that much more than one without. */
export const LONE_FRAME: Frame = {
  objectRows:
    (BUDGETS.lineASecondMinute.objectRows - BUDGETS.silentHour.objectRows / 60) / UNWATCHED_FRAMES_PER_MINUTE + 1,
  requests: 1 / MESSAGES_PER_REQUEST,
};
/** The same, if it comes soon after the one before. */
export const CLOSE_FRAME: Frame = {
  objectRows: BUDGETS.fastSecond.objectRows / Math.ceil(FAST_BYTES / MAX_OUTPUT_FRAME_BYTES) + 1,
  requests: 1 / MESSAGES_PER_REQUEST,
};
/** While somebody watches, frames leave at once: a line a second is a frame a second. */
const WATCHED_FRAMES_PER_DAY = 24 * 60 * 60;
/** The object looks every 90 s whether its viewers are still there: that sets an alarm. */
const VIEWER_CHECK = { objectRows: 1, requests: 1 } as const;
const VIEWER_CHECKS_PER_DAY = (24 * 60 * 60) / 90;
/** Start and end of a run are sent to the dashboards, when one is open. */
const PUBLISHED_PER_RUN = 2;
/** An object's daily look at what is to be removed. */
const DAILY_LOOK = { objectRows: 4, requests: 1 } as const;
/** The sweep looks at each job with live runs. */
const CHECK = { d1Rows: 1, requests: 1 } as const;
const CHECKS_PER_DAY = 96;

/** Rows and requests at list price, where nothing of them is included, in dollars. */
export function usdOf({ objectRows = 0, d1Rows = 0, requests = 0, workerRequests = 0 }: Partial<Cost>): number {
  return marginalUsd({
    objectRowsWritten: objectRows,
    d1RowsWritten: d1Rows,
    objectRequests: requests - workerRequests,
    workerRequests,
  });
}

export function fleetCost(fleet: Fleet): FleetCost {
  const byCause = usageByCause(fleet);
  const usage = sumOf(CAUSES.map((cause) => byCause[cause]));
  return {
    usage,
    usd: monthlyUsd(usage),
    causes: CAUSES.map((cause) => ({ cause, usd: marginalUsd(byCause[cause]) })).sort((a, b) => b.usd - a.usd),
    freeShares: freeShares(usage),
  };
}

/** How many such jobs the free plan is enough for. */
export function freeJobs(fleet: Fleet): number {
  const fits = (jobs: number) => (fleetCost({ ...fleet, jobs }).freeShares[0]?.share ?? 0) <= 1;
  let [enough, tooMany] = [0, 1];
  while (tooMany < 1e6 && fits(tooMany)) [enough, tooMany] = [tooMany, tooMany * 2];
  while (tooMany - enough > 1) {
    const middle = (enough + tooMany) >> 1;
    if (fits(middle)) enough = middle;
    else tooMany = middle;
  }
  return enough;
}

/** The frames that a run sends while nobody watches, if it prints all the time: one at an interval, or one when it is full. */
export function framesPerRun({ minutesPerRun, outputKibPerRun }: Fleet): {
  readonly count: number;
  readonly cost: Frame;
} {
  const bytes = outputKibPerRun * KIB;
  const lone = Math.ceil(Math.min(minutesPerRun * UNWATCHED_FRAMES_PER_MINUTE, bytes / ESTIMATES.bytesPerLine));
  const full = Math.ceil(bytes / MAX_OUTPUT_FRAME_BYTES);
  return full > lone ? { count: full, cost: CLOSE_FRAME } : { count: lone, cost: LONE_FRAME };
}

/** Of a month. */
function usageByCause(fleet: Fleet): Record<Cause, Usage> {
  const runs = fleet.jobs * fleet.runsPerDay;
  const minutes = runs * fleet.minutesPerRun;
  const frames = framesPerRun(fleet);
  const daily: Record<Exclude<Cause, 'storage'>, Usage> = {
    runs: usageOf(BUDGETS.shortRun, runs),
    removal: usageOf(BUDGETS.removal, runs),
    // A short run has a minute.
    running: usageOf(BUDGETS.silentHour, Math.max(0, minutes - runs) / 60),
    // And a frame.
    output: usageOf(frames.cost, runs * Math.max(0, frames.count - 1)),
    reconnects: usageOf(BUDGETS.reconnect, (ESTIMATES.reconnectsPerDay * minutes) / MINUTES_PER_DAY),
    kills: usageOf(BUDGETS.kill, fleet.killsPerDay),
    watchers: sumOf([
      usageOf(CLOSE_FRAME, fleet.watchers * WATCHED_FRAMES_PER_DAY),
      usageOf(VIEWER_CHECK, fleet.watchers * VIEWER_CHECKS_PER_DAY),
      usageOf({ requests: 1 }, fleet.watchers > 0 ? runs * PUBLISHED_PER_RUN : 0),
    ]),
    upkeep: sumOf([
      usageOf({ requests: 1, workerRequests: 1 }, MINUTES_PER_DAY),
      usageOf(DAILY_LOOK, fleet.jobs),
      usageOf(CHECK, CHECKS_PER_DAY * Math.min(fleet.jobs, minutes / MINUTES_PER_DAY)),
    ]),
  };
  const monthly = Object.entries(daily).map(([cause, usage]) => [cause, times(usage, DAYS_PER_MONTH)]);
  return { ...(Object.fromEntries(monthly) as typeof daily), storage: storedBy(fleet, runs, frames.count) };
}

function storedBy({ jobs, killsPerDay, outputKibPerRun, hasBucket }: Fleet, runs: number, frames: number): Usage {
  const { objectKbPerRun, objectKbPerFrame, objectKbPerJob, d1KbPerRow } = ESTIMATES;
  const outputKb = outputKibPerRun * KB_PER_KIB;
  const isMoved = hasBucket && outputKibPerRun >= MIN_MOVED_KIB;
  const objectKb = objectKbPerRun + (isMoved ? 0 : frames * objectKbPerFrame + outputKb);
  return {
    objectStorage: (KEPT_DAYS * runs * objectKb + jobs * objectKbPerJob) / KB_PER_GB,
    d1Storage: (KEPT_DAYS * (runs + killsPerDay) * d1KbPerRow) / KB_PER_GB,
    r2Storage: isMoved ? (KEPT_DAYS * runs * outputKb) / KB_PER_GB : 0,
    r2ClassA: isMoved ? DAYS_PER_MONTH * runs * Math.ceil(outputKibPerRun / MOVED_KIB) : 0,
  };
}

function usageOf(cost: Partial<Cost>, count: number): Usage {
  const { objectRows = 0, d1Rows = 0, requests = 0, workerRequests = 0 } = cost;
  const objectRequests = requests - workerRequests;
  const usage = {
    workerRequests,
    objectRequests,
    objectDuration: objectRequests * ESTIMATES.secondsPerRequest * OBJECT_GB,
    objectRowsWritten: objectRows,
    d1RowsWritten: d1Rows,
  };
  return times(usage, count);
}

function times(usage: Usage, count: number): Usage {
  return Object.fromEntries(BILLED.map((billed) => [billed, (usage[billed] ?? 0) * count]));
}

function sumOf(usages: readonly Usage[]): Usage {
  return Object.fromEntries(
    BILLED.map((billed) => [billed, usages.reduce((sum, usage) => sum + (usage[billed] ?? 0), 0)]),
  );
}

/** What is stored counts as a whole, everything else by the day. */
function freeShares(usage: Usage): FleetCost['freeShares'] {
  const { objectStorage = 0, d1Storage = 0, r2Storage = 0, ...others } = usage;
  const byDay = freePlanShares({ ...times(others, 1 / DAYS_PER_MONTH), objectStorage, r2Storage });
  return [...byDay, { billed: 'd1Storage' as const, share: d1Storage / FREE_D1_GB }].sort((a, b) => b.share - a.share);
}

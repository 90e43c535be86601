/** How long a job usually takes on a machine, and which runs took much longer. Pure. */
import { COMPARED_FROM_MS, type EarlierRun, type HistoryRequest, type LongRun } from '../../shared/d1/report.ts';
import { placeOf } from './place.ts';

/** With fewer earlier runs nothing is usual. */
const ENOUGH_RUNS = 5;
/** Of how many of the last runs the median is taken. */
const LAST_RUNS = 20;
/** How many earlier runs are read: of a job, and in all. */
const MOST_OF_A_JOB = 300;
const MOST_EARLIER_RUNS = 5_000;
/** Each is a statement. */
const MOST_JOBS = 100;

/** A run that took twice as long as usual, or does by now. */
export interface SlowRun extends LongRun {
  readonly usualMs: number;
  /** How many times as long as usual. */
  readonly factor: number;
}

/** Whose earlier runs to read: those of the jobs with the longest runs first. */
export function historyRequests(long: readonly LongRun[], now: number): HistoryRequest[] {
  const requests: HistoryRequest[] = [];
  let left = MOST_EARLIER_RUNS;
  const jobs = [...Map.groupBy(long, ({ job }) => job)].map(([job, runs]) => ({ job, runs, ms: longestMs(runs, now) }));
  for (const { job, runs } of jobs.sort((a, b) => b.ms - a.ms)) {
    const machines = new Set(runs.map(({ machine }) => machine)).size;
    // Among them are runs that failed, and the job's runs on other machines.
    const limit = Math.min(MOST_OF_A_JOB, left, 2 * LAST_RUNS * machines);
    if (limit < ENOUGH_RUNS || requests.length === MOST_JOBS) break;
    requests.push({ job, before: runs.reduce((latest, { startedAt }) => Math.max(latest, startedAt), 0), limit });
    left -= limit;
  }
  return requests;
}

function longestMs(runs: readonly LongRun[], now: number): number {
  return runs.reduce((longest, run) => Math.max(longest, durationMs(run, now)), 0);
}

function durationMs({ tookMs, startedAt }: LongRun, now: number): number {
  return tookMs ?? now - startedAt;
}

/** Of the runs those that are slow, and how many could be compared. */
export function slowRuns(
  long: readonly LongRun[],
  earlier: readonly EarlierRun[],
  now: number,
): { slow: SlowRun[]; compared: number } {
  const histories = Map.groupBy(earlier, placeOf);
  let compared = 0;
  const slow = long.flatMap((run) => {
    const before = (histories.get(placeOf(run)) ?? []).filter(({ startedAt }) => startedAt < run.startedAt);
    const usualMs = usualDurationMs(before);
    if (usualMs === null) return [];
    compared += 1;
    const tookMs = durationMs(run, now);
    return isSlow(tookMs, usualMs) ? [{ ...run, usualMs, factor: tookMs / Math.max(1, usualMs) }] : [];
  });
  return { slow, compared };
}

/** The median of the last runs; null: there are too few. A few that hung or did nothing don't change it. */
function usualDurationMs(before: readonly EarlierRun[]): number | null {
  if (before.length < ENOUGH_RUNS) return null;
  const last = before.toSorted((a, b) => b.startedAt - a.startedAt).slice(0, LAST_RUNS);
  const sorted = last.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** Twice as long, and by a minute at least: some seconds more are nothing to look at. */
function isSlow(tookMs: number, usualMs: number): boolean {
  return tookMs >= 2 * usualMs && tookMs - usualMs >= COMPARED_FROM_MS;
}

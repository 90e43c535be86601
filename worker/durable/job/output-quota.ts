/**
 * How much output is kept.
 *
 * Of a run: its head, a quarter of the limit, and its newest output; the middle becomes one gap that grows. Of the job:
 * the output of the run that ended first is removed first; if no ended run has any, the middle of the live run with the
 * most. Whatever the limits are, some storage is reserved for runs, events and kills: output that arrives when the
 * storage is nearly full is stored as a gap, so that kills and completions still work.
 *
 * No message has to wait: it removes a few rows at most, and the alarm removes the rest in small steps.
 */
import type { OutputLimit } from '#protocol/api';
import { MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import { log } from '../../shared/log.ts';
import type { JobContext } from './job-context.ts';
import { ROW_COST_BYTES } from './output-trim.ts';
import type { RunRecord } from './run-store.ts';

/** An object's storage ends at 10 GB. When it is full, whole transactions may fail, so output stays well below. */
const STORAGE_FOR_OUTPUT_BYTES = 9_500_000_000;
/** The output of a job is summed up only when its storage has reached this share of the limit. */
const SUM_FROM = 3 / 4;
/** Trimming continues until this share of the limit is free. */
const FREE_AGAIN = 1 / 64;
const HEAD = 1 / 4;
/** A message removes at most this many rows. */
const ROWS_PER_MESSAGE = 32;
/** A step removes at most this share of a live run's output: then another run may have the most. */
const LIVE_SHARE = 1 / 8;
const ROWS_PER_STEP = 256;
export const BYTES_PER_STEP = 8 * MIB;
/** Between two steps, so that what has arrived meanwhile is handled. */
const PAUSE_MS = 10;

export class OutputQuota {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Appends a frame to a run's output, or a gap if there is no room. @returns the storage that it takes */
  append(run: RunRecord, frame: OutputFrame): number {
    if (this.#job.sql.databaseSize + frame.bytes.length <= STORAGE_FOR_OUTPUT_BYTES) {
      try {
        return this.#job.output.append(run.id, frame);
      } catch (error) {
        // The storage may be full before its documented size.
        if (!isStorageFull(error)) throw error;
        this.#trimSome(BYTES_PER_STEP);
      }
    }
    this.#recordTrimOnce(run.id, 'job', frame.start);
    this.#scheduleTrim('');
    return this.#job.output.appendGap(run.id, frame.start, frame.start + frame.bytes.length);
  }

  /** A run's output has grown: trims it to its limit. */
  enforce(id: string): void {
    const run = this.#job.runs.get(id);
    if (run === null) return;
    if (run.headEnd === null && run.outputSize > this.#job.settings.runOutputMaxBytes * HEAD) {
      this.#job.runs.patch(id, { headEnd: run.outputEnd });
    }
    const over = run.outputSize - this.#job.settings.runOutputMaxBytes;
    if (over > 0 && this.#trimMiddle(run, over, ROWS_PER_MESSAGE, 'run') < over) this.#scheduleTrim(id);
    this.enforceJob();
  }

  /** Starts trimming if the job exceeds its limit. */
  enforceJob(): void {
    this.#job.outputArchive.scheduleIfFilling();
    if (this.#isJobOverLimit) this.#scheduleTrim('');
  }

  get #isJobOverLimit(): boolean {
    const { runs, sql, settings } = this.#job;
    // The sum takes a scan, and output takes at least about as much storage as it is counted for.
    if (sql.databaseSize < settings.jobOutputMaxBytes * SUM_FROM) return false;
    return runs.outputTotal > settings.jobOutputMaxBytes;
  }

  /** The `trim` deadline: one step, and the next is due soon if there is more to do. */
  trimStep(subject: string): void {
    const more = subject === '' ? this.#trimJob() : this.#trimRun(subject);
    if (more) this.#scheduleTrim(subject);
  }

  /** One step of removing all output but one gap at most. @returns whether that is done */
  trimToNothing(run: RunRecord): boolean {
    if (run.archivedTo === null) this.#job.output.removeIfLittle(run.id, ROWS_PER_STEP, BYTES_PER_STEP);
    const plan = this.#job.output.trim(run.id, run.archivedTo ?? 0, BYTES_PER_STEP, ROWS_PER_STEP);
    if (plan === null) return true;
    this.#job.runs.freeOutput(run.id, plan.freed);
    return run.outputSize - plan.freed <= ROW_COST_BYTES;
  }

  /** One step for the job. @returns whether there is more to do */
  #trimJob(): boolean {
    const goal = this.#job.settings.jobOutputMaxBytes * (1 - FREE_AGAIN);
    const over = Math.max(
      this.#job.runs.outputTotal - goal,
      this.#job.sql.databaseSize - STORAGE_FOR_OUTPUT_BYTES * (1 - FREE_AGAIN),
    );
    if (over <= 0) return false;
    const freed = this.#trimSome(Math.min(over, BYTES_PER_STEP));
    return freed > 0 && freed < over;
  }

  /** One step at the run whose output is to be removed first. @returns how much was freed */
  #trimSome(needed: number): number {
    const ended = this.#job.runs.oldestEndedWithOutput();
    if (ended !== null) return this.#trimFrom(ended, ended.archivedTo ?? 0, needed, ROWS_PER_STEP, 'job');
    const live = this.#job.runs.liveWithMostOutput();
    if (live === null) return 0;
    const share = Math.min(needed, live.outputSize * LIVE_SHARE);
    return this.#trimMiddle(live, share, ROWS_PER_STEP, 'job') || this.#trimFrom(live, 0, share, ROWS_PER_STEP, 'job');
  }

  #trimRun(id: string): boolean {
    const run = this.#job.runs.get(id);
    const over = run === null ? 0 : run.outputSize - this.#job.settings.runOutputMaxBytes;
    if (run === null || over <= 0) return false;
    const freed = this.#trimMiddle(run, Math.min(over, BYTES_PER_STEP), ROWS_PER_STEP, 'run');
    return freed > 0 && freed < over;
  }

  /** Removes the oldest output after the head. @returns how much was freed */
  #trimMiddle(run: RunRecord, neededBytes: number, maxRows: number, limit: OutputLimit): number {
    return this.#trimFrom(run, run.headEnd ?? run.outputEnd, neededBytes, maxRows, limit);
  }

  #trimFrom(run: RunRecord, from: number, neededBytes: number, maxRows: number, limit: OutputLimit): number {
    const plan = this.#job.output.trim(run.id, from, neededBytes, maxRows);
    if (plan === null) return 0;
    this.#job.runs.freeOutput(run.id, plan.freed);
    this.#recordTrimOnce(run.id, limit, plan.gapStart);
    return plan.freed;
  }

  /** One event when trimming starts, and another when the job's limit removes what the run's own had kept. */
  #recordTrimOnce(id: string, limit: OutputLimit, from: number): void {
    const run = this.#job.runs.get(id);
    if (run === null || run.trimmedFor === limit || run.trimmedFor === 'job') return;
    this.#job.runs.patch(id, { trimmedFor: limit });
    this.#job.runUpdater.addEvents(run, { type: 'output_trimmed', at: new Date().toISOString(), limit, from });
    log.info('output_trimmed', { job: this.#job.name, run: id, limit });
  }

  #scheduleTrim(subject: string): void {
    this.#job.deadlines.armIfUnset('trim', subject, Date.now() + PAUSE_MS);
  }
}

function isStorageFull(error: unknown): boolean {
  return error instanceof Error && error.message.includes('SQLITE_FULL');
}

/**
 * How much output is kept.
 *
 * Of one run: its head, a quarter of what is allowed, and its newest; the middle becomes one gap that grows. Of the job:
 * what makes way first is the output of the run that ended first; only when no ended run has any, the middle of the live
 * run that has most. And whatever the limits say, room is left for runs, events and kills: output that arrives when
 * the storage is nearly full is counted as missing, so that kills and completions still get through.
 *
 * No message waits: it removes a few rows at most, and what is left to do goes on in small steps behind the alarm.
 */
import type { OutputLimit } from '#protocol/api';
import { MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import { log } from '../../shared/log.ts';
import type { DeadlineBook } from './deadlines.ts';
import type { Journal } from './journal.ts';
import type { OutputLog } from './output-log.ts';
import { ROW_COST_BYTES } from './output-trim.ts';
import type { RunRecord, RunStore } from './run-store.ts';

/** An object's storage ends at 10 GB. Where it is full a whole transaction may fail, so output keeps away from that. */
const STORAGE_FOR_OUTPUT_BYTES = 9_500_000_000;
/** Trimming that has begun goes on until so much of what is allowed is free again. */
const FREE_AGAIN = 1 / 64;
const HEAD = 1 / 4;
/** A message removes at most this many rows. */
const ROWS_PER_MESSAGE = 32;
/** A step takes at most so much of a live run: then another may be the largest, and each keeps its newest. */
const LIVE_SHARE = 1 / 8;
const ROWS_PER_STEP = 256;
export const BYTES_PER_STEP = 8 * MIB;
/** Between two steps, so that what has arrived meanwhile gets its turn. */
const PAUSE_MS = 10;

export interface OutputLimits {
  readonly runOutputMaxBytes: number;
  readonly jobOutputMaxBytes: number;
}

export class OutputBounds {
  readonly #job: string;
  readonly #limits: OutputLimits;
  readonly #sql: SqlStorage;
  readonly #runs: RunStore;
  readonly #output: OutputLog;
  readonly #journal: Journal;
  readonly #deadlines: DeadlineBook;

  constructor(parts: {
    job: string;
    limits: OutputLimits;
    sql: SqlStorage;
    runs: RunStore;
    output: OutputLog;
    journal: Journal;
    deadlines: DeadlineBook;
  }) {
    this.#job = parts.job;
    this.#limits = parts.limits;
    this.#sql = parts.sql;
    this.#runs = parts.runs;
    this.#output = parts.output;
    this.#journal = parts.journal;
    this.#deadlines = parts.deadlines;
  }

  /** Puts a frame at the end of a run's log, or a gap where there is no room for it. @returns what it takes in storage */
  store(run: RunRecord, frame: OutputFrame): number {
    if (this.#sql.databaseSize + frame.bytes.length <= STORAGE_FOR_OUTPUT_BYTES) {
      try {
        return this.#output.append(run.id, frame);
      } catch (error) {
        // The storage may end earlier than it should.
        if (!isStorageFull(error)) throw error;
        this.#trimSome(BYTES_PER_STEP);
      }
    }
    this.#tellOnce(run.id, 'job', frame.start);
    this.#trimSoon('');
    return this.#output.appendLost(run.id, frame.start, frame.start + frame.bytes.length);
  }

  /** A run's log has grown: holds it within its bounds. */
  keep(id: string): void {
    const run = this.#runs.get(id);
    if (run === null) return;
    if (run.headEnd === null && run.outputSize > this.#limits.runOutputMaxBytes * HEAD) {
      this.#runs.patch(id, { headEnd: run.outputEnd });
    }
    const over = run.outputSize - this.#limits.runOutputMaxBytes;
    if (over > 0 && this.#trimMiddle(run, over, ROWS_PER_MESSAGE, 'run') < over) this.#trimSoon(id);
    this.checkJob();
  }

  /** Begins to trim if the job has more than is allowed. */
  checkJob(): void {
    if (this.#output.total > this.#limits.jobOutputMaxBytes) this.#trimSoon('');
  }

  /** The `trim` deadline: one step, and the next is due soon if there is more to do. */
  trim(subject: string): void {
    const more = subject === '' ? this.#trimJob() : this.#trimRun(subject);
    if (more) this.#trimSoon(subject);
  }

  /** One step towards a log that is at most one gap. @returns whether it is that now */
  trimToNothing(run: RunRecord): boolean {
    const plan = this.#output.trim(run.id, 0, BYTES_PER_STEP, ROWS_PER_STEP);
    if (plan === null) return true;
    this.#runs.freeOutput(run.id, plan.freed);
    return run.outputSize - plan.freed <= ROW_COST_BYTES;
  }

  /** One step for the job. @returns whether there is more to do */
  #trimJob(): boolean {
    const goal = this.#limits.jobOutputMaxBytes * (1 - FREE_AGAIN);
    const over = Math.max(
      this.#output.total - goal,
      this.#sql.databaseSize - STORAGE_FOR_OUTPUT_BYTES * (1 - FREE_AGAIN),
    );
    if (over <= 0) return false;
    const freed = this.#trimSome(Math.min(over, BYTES_PER_STEP));
    return freed > 0 && freed < over;
  }

  /** One step at whichever run is to make way first. @returns how much was freed */
  #trimSome(needed: number): number {
    const ended = this.#runs.oldestEndedWithOutput();
    if (ended !== null) return this.#trimFrom(ended, 0, needed, ROWS_PER_STEP, 'job');
    const live = this.#runs.liveWithMostOutput();
    if (live === null) return 0;
    const share = Math.min(needed, live.outputSize * LIVE_SHARE);
    return this.#trimMiddle(live, share, ROWS_PER_STEP, 'job') || this.#trimFrom(live, 0, share, ROWS_PER_STEP, 'job');
  }

  #trimRun(id: string): boolean {
    const run = this.#runs.get(id);
    const over = run === null ? 0 : run.outputSize - this.#limits.runOutputMaxBytes;
    if (run === null || over <= 0) return false;
    const freed = this.#trimMiddle(run, Math.min(over, BYTES_PER_STEP), ROWS_PER_STEP, 'run');
    return freed > 0 && freed < over;
  }

  /** Removes the oldest of what follows the head. @returns how much was freed */
  #trimMiddle(run: RunRecord, neededBytes: number, maxRows: number, limit: OutputLimit): number {
    return this.#trimFrom(run, run.headEnd ?? run.outputEnd, neededBytes, maxRows, limit);
  }

  #trimFrom(run: RunRecord, from: number, neededBytes: number, maxRows: number, limit: OutputLimit): number {
    const plan = this.#output.trim(run.id, from, neededBytes, maxRows);
    if (plan === null) return 0;
    this.#runs.freeOutput(run.id, plan.freed);
    this.#tellOnce(run.id, limit, plan.gapStart);
    return plan.freed;
  }

  /** One event when it begins; when the job's limit takes what the run's own had left, one more. */
  #tellOnce(id: string, limit: OutputLimit, from: number): void {
    const run = this.#runs.get(id);
    if (run === null || run.trimmedFor === limit || run.trimmedFor === 'job') return;
    this.#runs.patch(id, { trimmedFor: limit });
    this.#journal.tell(run, { type: 'output_trimmed', at: new Date().toISOString(), limit, from });
    log.info('output_trimmed', { job: this.#job, run: id, limit });
  }

  #trimSoon(subject: string): void {
    if (!this.#deadlines.has('trim', subject)) this.#deadlines.arm('trim', subject, Date.now() + PAUSE_MS);
  }
}

function isStorageFull(error: unknown): boolean {
  return error instanceof Error && error.message.includes('SQLITE_FULL');
}

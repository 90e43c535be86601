/**
 * How long runs, events and kills are kept: a daily deadline, in small steps.
 *
 * The object decides. What it has removed is added to the outbox like any change, and D1 removes it as well. A removed
 * run has no state that could be sent, so no old outbox entry can bring it back.
 */
import { log } from '../../shared/log.ts';
import { daysInMs } from '../../shared/settings.ts';
import type { JobContext } from './job-context.ts';
import { BYTES_PER_STEP } from './output-quota.ts';
import type { RunRecord } from './run-store.ts';

const EVERY_MS = daysInMs(1);
/** Between two steps, so that what has arrived meanwhile is handled. */
const PAUSE_MS = 50;
/** Nothing is left but changes to send: soon the storage can be cleared. */
const LEAVING_MS = 5_000;
const RUNS_PER_STEP = 20;
const KILLS_PER_STEP = 50;
const EVENT_ROWS_PER_STEP = 100;

export class Retention {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Makes sure that the deadline is set. */
  schedule(): void {
    this.#job.deadlines.armIfUnset('retain', '', Date.now() + EVERY_MS);
  }

  /** The `retain` deadline: one step. The next is due soon if there is more to do, else in a day. */
  step(): void {
    const now = Date.now();
    this.#job.outputQuota.enforceJob();
    this.#job.outputArchive.schedule();
    const more = [this.#removeRuns(now), this.#removeEvents(now), this.#removeKills(now)].includes(true);
    this.#job.deadlines.arm('retain', '', now + (more ? PAUSE_MS : this.#isLeaving ? LEAVING_MS : EVERY_MS));
  }

  get #isLeaving(): boolean {
    const { runs, kills, expectations, outbox } = this.#job;
    return runs.isEmpty() && kills.isEmpty() && expectations.store.isEmpty() && !outbox.isEmpty;
  }

  #removeEvents(now: number): boolean {
    const { eventDays, runDays } = this.#job.settings;
    const [before, keptSince] = [now - daysInMs(eventDays), now - daysInMs(runDays)];
    return this.#job.events.removeBefore(before, keptSince, EVENT_ROWS_PER_STEP) === EVENT_ROWS_PER_STEP;
  }

  #removeRuns(now: number): boolean {
    const ended = this.#job.runs.endedBefore(now - daysInMs(this.#job.settings.runDays), RUNS_PER_STEP);
    // A wrapper that is still sending output of such a run may finish: the next day is early enough.
    const silent = ended.filter((run) => this.#job.sockets.current(run) === null);
    let removed = 0;
    let bytes = 0;
    for (const run of silent) {
      if (bytes > BYTES_PER_STEP || !this.#removeRun(run, now)) return true;
      removed += 1;
      bytes += run.outputSize;
    }
    if (removed > 0) log.info('runs_removed', { job: this.#job.name, runs: removed });
    return ended.length === RUNS_PER_STEP && removed > 0;
  }

  /** @returns whether all of it is removed: a large run takes several steps */
  #removeRun(run: RunRecord, now: number): boolean {
    if (this.#job.events.remove(run.id, EVENT_ROWS_PER_STEP) === EVENT_ROWS_PER_STEP) return false;
    if (!this.#job.outputQuota.trimToNothing(run)) return false;
    if (run.archivedTo !== null) this.#job.output.removeArchives(run.id);
    this.#job.outputArchive.runRemoved(run);
    this.#job.output.remove(run.id);
    for (const kill of this.#job.kills.removeTargetsAt(run.id)) this.#removeKillIfOver(kill, now);
    this.#job.runs.remove(run.id);
    if (run.wrapper === 'saltpeter') this.#job.saltpeterRuns.remove(run.id);
    this.#job.outbox.addRemoved('run', run.id, run.seq + 1);
    this.#job.viewers.broadcast({ type: 'run_removed', job: this.#job.name, run: run.id, seq: run.seq + 1 });
    return true;
  }

  /** The kills that found no run: the others are removed with the last of their runs. */
  #removeKills(now: number): boolean {
    const before = now - daysInMs(this.#job.settings.runDays);
    const removed = this.#job.kills.withoutTargets(before, KILLS_PER_STEP);
    for (const kill of removed) this.#removeKillIfOver(kill, now);
    return removed.length === KILLS_PER_STEP;
  }

  #removeKillIfOver(id: string, now: number): void {
    const kill = this.#job.kills.get(id);
    if (kill === null || kill.expiresAt > now || this.#job.kills.hasTargets(id)) return;
    this.#job.kills.remove(id);
    this.#job.outbox.addRemoved('kill', id, kill.seq + 1);
  }
}

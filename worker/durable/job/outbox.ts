/**
 * The changes that D1 does not have yet.
 *
 * No transaction spans this object and D1. So each change is added to the outbox in the transaction that makes it, and
 * sent until D1 has it: always the latest state, of which D1 keeps that with the higher `seq`. The gateway commits the
 * changes of many jobs at once, and publishes them to dashboards after that, so that a dashboard which then reads D1
 * finds them there.
 */

import type { Occurrence } from '#protocol/alerts';
import type { Expectation } from '#protocol/expectations';
import { withJitter } from '#shared/with-jitter';
import { d1Failure } from '../../shared/d1/failure.ts';
import { type JobChanges, MAX_BATCH_WEIGHT, weighChanges } from '../../shared/job-changes.ts';
import { log } from '../../shared/log.ts';
import { type Committed, commitChanges } from '../../shared/rpc/d1-gateway.ts';
import { expectationOccurrences } from './expectations/expectation-occurrences.ts';
import type { JobContext } from './job-context.ts';
import { type KilledBy, killOccurrences, runOccurrences } from './occurrences.ts';
import { type RunRecord, runResource } from './run-store.ts';
import { type Entry, type Kind, UnsentChanges } from './unsent-changes.ts';

/** What is sent at once. */
interface Batch {
  readonly entries: readonly Entry[];
  readonly changes: JobChanges;
}

/** After a failure. */
const RETRY_MS = 5_000;
/** If the object is evicted while it sends: an alarm is set by then as long as a run is connected. */
const RESUME_MS = 60_000;

export class Outbox {
  readonly #job: JobContext;
  readonly #unsent: UnsentChanges;
  #sending = false;
  #delay: ReturnType<typeof setTimeout> | undefined;
  #isD1Unavailable = false;

  constructor(job: JobContext) {
    this.#job = job;
    this.#unsent = new UnsentChanges(job);
  }

  /** Whether D1 did not accept the last batch. */
  get isD1Unavailable(): boolean {
    return this.#isD1Unavailable;
  }

  /** Adds a run or kill that was changed, and starts sending. */
  add(kind: Kind, id: string, seq: number): void {
    this.#unsent.add(kind, id, seq);
    this.#sendSoon(RESUME_MS);
  }

  /**
   * Adds a run or kill that was changed and will change again, and sends it a moment later, or with the next change that is
   * sent at once: a run that starts and ends, or disconnects and returns, or ends by a kill, is often written to D1 once.
   */
  addDelayed(kind: Kind, id: string, seq: number): void {
    const { indexDelayMs } = this.#job.settings;
    this.#unsent.add(kind, id, seq);
    if (indexDelayMs === 0) this.#sendSoon(RESUME_MS);
    else this.#sendIn(indexDelayMs);
  }

  /** Adds a run that was overdue, and starts sending. */
  addOverdueRun(id: string): void {
    this.#unsent.addOverdueRun(id);
    this.#sendSoon(RESUME_MS);
  }

  /** Adds a run or kill that was removed, and starts sending. @param seq higher than any that it had */
  addRemoved(kind: Kind, id: string, seq: number): void {
    this.#unsent.addRemoved(kind, id, seq);
    this.#sendSoon(RESUME_MS);
  }

  /** What is in memory may differ from what is stored. */
  refresh(): void {
    this.#unsent.refresh();
  }

  /** Continues what an earlier instance of the object, or a failed attempt, has left. */
  resume(): void {
    if (!this.isEmpty) this.#sendSoon(RETRY_MS);
  }

  #sendSoon(resumeMs: number): void {
    // If the object is evicted before D1 has it, the alarm starts it again.
    this.#job.deadlines.armIfUnset('outbox', '', Date.now() + resumeMs);
    this.#job.state.waitUntil(this.send());
  }

  #sendIn(ms: number): void {
    this.#job.deadlines.armIfUnset('outbox', '', Date.now() + RESUME_MS);
    // The pending timer keeps the object in memory.
    this.#delay ??= setTimeout(() => void this.send(), ms);
  }

  get isEmpty(): boolean {
    return this.#unsent.isEmpty;
  }

  /** The current state of what D1 may not have yet. */
  pending(): Pick<JobChanges, 'runs' | 'kills' | 'expectations'> {
    return merged(
      this.#job.name,
      Array.from(this.#unsent.list(), (entry) => this.#changesOf(entry)),
    );
  }

  /** Sends until the outbox is empty. Never throws: after a failure the alarm tries again. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#delay);
    this.#delay = undefined;
    try {
      // Lets the current event finish: one batch instead of many.
      await Promise.resolve();
      for (let batch = this.#next(); batch !== null; batch = this.#next()) await this.#sendBatch(batch);
      this.#job.deadlines.cancel('outbox', '');
    } catch (error) {
      log.error('outbox_failed', error, { job: this.#job.name });
      this.#job.deadlines.arm('outbox', '', Date.now() + withJitter(RETRY_MS));
    } finally {
      this.#sending = false;
    }
  }

  async #sendBatch(batch: Batch): Promise<void> {
    try {
      await this.#sendTogether(batch);
    } catch (error) {
      if (d1Failure(error) === 'rejected' && batch.entries.length > 1) {
        await this.#sendEach(batch.entries);
        return;
      }
      // What happens while D1 is away gets to the gateway, however much waits: alerts don't wait for D1.
      this.#unsent.notSent(batch.entries);
      throw error;
    }
  }

  /** D1 rejected an entry: sends them one by one, so that the others are not held up forever. */
  async #sendEach(entries: readonly Entry[]): Promise<void> {
    let refusal: unknown = null;
    for (const entry of entries) {
      try {
        await this.#sendTogether({ entries: [entry], changes: this.#changesOf(entry) });
      } catch (error) {
        if (d1Failure(error) !== 'rejected') throw error;
        log.error('change_refused', error, { job: this.#job.name, kind: entry.kind, id: entry.id });
        refusal = error;
      }
    }
    if (refusal !== null) throw refusal;
  }

  async #sendTogether(batch: Batch): Promise<void> {
    let committed: Committed;
    try {
      committed = await commitChanges(this.#job.env, batch.changes);
      this.#isD1Unavailable = false;
    } catch (error) {
      const failure = d1Failure(error);
      this.#isD1Unavailable = failure !== 'rejected' && failure !== 'full';
      throw error;
    }
    for (const { run, otherJob } of committed.namesakes) this.#job.runIdConflicts.recordInBoth(run, otherJob);
    this.#unsent.sent(batch.entries);
  }

  /** As many entries as fit into one batch, with their current state; null if there are none. */
  #next(): Batch | null {
    const entries: Entry[] = [];
    const all: JobChanges[] = [];
    let weight = 0;
    for (const entry of this.#unsent.list()) {
      const changes = this.#changesOf(entry);
      weight += weighChanges(changes);
      if (entries.length > 0 && weight > MAX_BATCH_WEIGHT) break;
      entries.push(entry);
      all.push(changes);
    }
    return entries.length === 0 ? null : { entries, changes: merged(this.#job.name, all) };
  }

  /** The current state of what an entry names. */
  #changesOf({ kind, id, seq }: Entry): JobChanges {
    const none = { job: this.#job.name, runs: [], kills: [], removedRuns: [], removedKills: [] };
    switch (kind) {
      case 'run': {
        const run = this.#job.runs.get(id);
        if (run === null) return none;
        const occurrences = runOccurrences(this.#job.name, run, this.#killedBy(run));
        return { ...none, runs: [runResource(this.#job.name, run)], occurrences };
      }
      case 'kill': {
        const kill = this.#job.killController.get(id);
        if (kill === null) return none;
        const occurrences = killOccurrences(kill, (run) => this.#job.runs.get(run));
        return { ...none, kills: [kill], taken: this.#job.killController.taken(kill), occurrences };
      }
      case 'expectation': {
        const expectation = this.#job.expectations.get(id);
        if (expectation === null) return none;
        return { ...none, expectations: [expectation], occurrences: this.#occurrencesOf(expectation) };
      }
      case 'overdue_run': {
        const overdueRun = this.#job.expectations.overdueRuns.get(id);
        return overdueRun === null ? none : { ...none, overdueRuns: [overdueRun.resource] };
      }
      case 'removed_run':
        return { ...none, removedRuns: [{ id, seq }] };
      case 'removed_kill':
        return { ...none, removedKills: [{ id, seq }] };
      case 'removed_expectation':
        return { ...none, removedExpectations: [{ id, seq }] };
    }
  }

  #occurrencesOf(expectation: Expectation): Occurrence[] {
    const last = expectation.last_run === null ? null : this.#job.runs.get(expectation.last_run);
    return expectationOccurrences(expectation, last?.about ?? null);
  }

  /** Who killed a run: by the last of its kills. */
  #killedBy({ id, state }: RunRecord): KilledBy | null {
    const target = state === 'killed' ? this.#job.kills.targetsAt(id).at(-1) : undefined;
    const kill = target === undefined ? null : this.#job.kills.get(target.kill);
    return kill === null ? null : { requested_by: kill.requestedBy, reason: kill.reason };
  }
}

function merged(job: string, all: readonly JobChanges[]): JobChanges {
  return {
    job,
    runs: all.flatMap(({ runs }) => runs),
    kills: all.flatMap(({ kills }) => kills),
    removedRuns: all.flatMap(({ removedRuns }) => removedRuns),
    removedKills: all.flatMap(({ removedKills }) => removedKills),
    taken: all.flatMap(({ taken = [] }) => taken),
    expectations: all.flatMap(({ expectations = [] }) => expectations),
    removedExpectations: all.flatMap(({ removedExpectations = [] }) => removedExpectations),
    overdueRuns: all.flatMap(({ overdueRuns = [] }) => overdueRuns),
    occurrences: all.flatMap(({ occurrences = [] }) => occurrences),
  };
}

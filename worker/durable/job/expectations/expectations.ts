/**
 * Notices that a run is late or missed, by the object's own alarm.
 *
 * A start writes when the next run has to be there, with the row that says it has started. Nothing happens until then, and if
 * the run is there by then, nothing happens at all. If it isn't, the object is awake some time before, as a witness.
 */
import type { Expectation, ExpectationState, Expected } from '#protocol/expectations';
import { isLive } from '#protocol/run-state';
import { log } from '../../../shared/log.ts';
import { canSignIn } from '../../../shared/rpc/d1-gateway.ts';
import type { ExpectationResult } from '../../../shared/rpc/job-object.ts';
import type { Deadline } from '../alarm-scheduler.ts';
import type { JobContext } from '../job-context.ts';
import type { RunRecord } from '../run-store.ts';
import { expectationResource } from './expectation-resource.ts';
import { ANY_MACHINE, type ExpectationRecord, ExpectationStore, expectedOf } from './expectation-store.ts';
import { type Facts, type Judgement, judge, type Plan, planOf } from './judgement.ts';
import { isBroken, type Overdue, overdueBy, overdueRunResource } from './overdue.ts';
import { OverdueRunStore } from './overdue-run-store.ts';
import { Witness } from './witness.ts';

/** More than any job has machines. */
const MAX_EXPECTATIONS = 10_000;
/** An alarm that fires this late shows that the object was down. */
const OVERDUE_MS = 10_000;
const RETRY_MS = 5_000;
/** If the object is evicted while it asks. */
const RESUME_MS = 60_000;

const SEVERITY: Readonly<Record<ExpectationState, number>> = { unknown: 0, ok: 0, late: 1, missed: 2 };

/** What sets an expectation, and with it the run that does. */
type Change = Partial<Pick<ExpectationRecord, 'fromRun' | 'fromOperator' | 'lastRun' | 'lastStartedAt'>>;

export class Expectations {
  readonly store: ExpectationStore;
  readonly overdueRuns: OverdueRunStore;
  readonly #job: JobContext;
  readonly #witness: Witness;
  /** By what is expected: to read a cron expression takes longer than all the rest. */
  readonly #plans = new Map<string, Plan>();
  #isChecking = false;
  /** The highest of those that were removed: one that is set within the same millisecond comes after it. */
  #removedSeq = 0;

  constructor(job: JobContext) {
    this.#job = job;
    this.store = new ExpectationStore(job.sql);
    this.overdueRuns = new OverdueRunStore(job.sql);
    this.#witness = new Witness(job.settings.disconnectMs);
  }

  get isChecking(): boolean {
    return this.#isChecking;
  }

  /** Sets the deadline, which is only in memory. */
  setDeadline(): void {
    this.store.refresh();
    this.#setDeadline(Date.now());
  }

  list(): Expectation[] {
    return this.store.list().map((record) => this.#resource(record));
  }

  get(machine: string): Expectation | null {
    const record = this.store.get(machine);
    return record && this.#resource(record);
  }

  #resource(record: ExpectationRecord): Expectation {
    const last = record.lastRun === null ? null : this.#job.runs.get(record.lastRun);
    return expectationResource(this.#job.name, record, last);
  }

  /** Sets what an operator expects. */
  set(machine: string, expected: Expected): ExpectationResult {
    const known = this.store.get(machine);
    if (known === null && this.#job.runs.isEmpty()) return { kind: 'unknown_job' };
    const plan = this.#planOf(expected, Date.now());
    if (plan.kind === 'impossible') return { kind: 'refused', problem: plan.problem };
    if (known === null && this.#isFull) return { kind: 'too_many', limit: MAX_EXPECTATIONS };
    this.#job.storage.transaction(() => this.#set(machine, known, { fromOperator: expected }));
    const expectation = this.get(machine);
    if (expectation === null) throw new Error('an expectation that was set is not there');
    return { kind: 'set', expectation };
  }

  /** Removes what is expected, whoever has set it. @returns whether there was anything */
  remove(machine: string): boolean {
    const known = this.store.get(machine);
    if (known === null) return false;
    const seq = nextSeq(known);
    this.#removedSeq = Math.max(seq, this.#removedSeq);
    this.#job.storage.transaction(() => {
      this.store.remove(machine);
      if (known.overdue !== null) this.#addOverdueRun(machine, known.overdue, null);
      this.#job.outbox.addRemoved('expectation', machine, seq);
      this.#job.viewers.broadcast({
        type: 'expectation_removed',
        job: this.#job.name,
        machine: machine === ANY_MACHINE ? null : machine,
        seq,
      });
      this.#setDeadline(Date.now());
      this.#job.slowRuns.setDeadlines();
    });
    return true;
  }

  /** A run has started, or is reported only now. @param expected what its command line says */
  runStarted(run: RunRecord, expected: Expected | undefined): void {
    if (expected !== undefined) this.#setByRun(run, expected);
    if (this.store.isEmpty()) return;
    for (const machine of [run.machine, ANY_MACHINE]) {
      const known = this.store.get(machine);
      if (known !== null && isNewer(run, known)) this.#judge({ ...known, ...lastRunOf(run) }, { came: run });
    }
    this.#setDeadline(Date.now());
    this.#job.slowRuns.runChanged(run);
  }

  #setByRun(run: RunRecord, expected: Expected): void {
    const { machine } = run;
    const known = this.store.get(machine);
    if (known !== null && JSON.stringify(known.fromRun) === JSON.stringify(expected)) return;
    if (known === null && this.#isFull) {
      log.warn('expectation_refused', { job: this.#job.name, machine, limit: MAX_EXPECTATIONS });
      return;
    }
    // What was late has come, though it says that something else is expected from now on.
    const came = known !== null && isNewer(run, known) ? run : null;
    this.#set(machine, known, { fromRun: expected, ...(came !== null && lastRunOf(came)) }, came);
  }

  get #isFull(): boolean {
    return this.store.count() >= MAX_EXPECTATIONS;
  }

  #set(machine: string, known: ExpectationRecord | null, change: Change, came: RunRecord | null = null): void {
    const now = Date.now();
    if (known === null) this.store.insert(this.#newRecord(machine, now));
    const before = known ?? this.#newRecord(machine, now);
    const isOverruled = before.fromOperator !== null && change.fromOperator === undefined;
    const changed = { ...before, ...change, setAt: isOverruled ? before.setAt : now };
    // What was late by the old schedule is not by the new one.
    this.#judge(isOverruled ? changed : { ...changed, state: 'unknown' }, { isNew: true, came });
    this.#setDeadline(now);
    this.#job.slowRuns.setDeadlines();
  }

  #newRecord(machine: string, now: number): ExpectationRecord {
    const last = this.#job.runs.lastStarted(machine === ANY_MACHINE ? null : machine);
    return {
      machine,
      fromRun: null,
      fromOperator: null,
      setAt: now,
      state: 'unknown',
      since: now,
      lastRun: last?.id ?? null,
      lastStartedAt: last?.startedAt ?? null,
      dueAt: null,
      checkAt: null,
      problem: null,
      overdue: null,
      // Higher than that of one that was removed.
      seq: Math.max(now, this.#removedSeq),
      sentSeq: 0,
    };
  }

  /** The `expectation` deadline: judges what is due, if this object is a witness. Never throws. */
  async check(deadline: Deadline): Promise<void> {
    const now = Date.now();
    if (now - deadline.dueAt > OVERDUE_MS) this.#witness.restart();
    // Set before anything is awaited: the object may be evicted meanwhile.
    if (this.#mayJudge(now)) this.#job.deadlines.arm('expectation', '', now + RESUME_MS);
    else this.#setDeadline(now);
    this.#isChecking = true;
    try {
      // While D1 is unavailable no wrapper can authenticate, so no run could have been reported.
      if (this.#job.outbox.isD1Unavailable || !(await canSignIn(this.#job.env))) this.#witness.restart();
      this.#job.storage.transaction(() => this.#judgeDue(Date.now()));
    } catch (error) {
      log.error('expectations_failed', error, { job: this.#job.name });
      this.#job.deadlines.arm('expectation', '', Date.now() + RETRY_MS);
    } finally {
      this.#isChecking = false;
    }
  }

  #judgeDue(now: number): void {
    if (this.#mayJudge(now)) {
      for (const record of this.store.dueBy(now)) this.#judge(record, { isWitness: true });
    }
    this.#setDeadline(now);
  }

  #mayJudge(now: number): boolean {
    const checkAt = this.store.nextCheckAt();
    return checkAt !== null && checkAt <= now && this.#witness.readyAt <= now;
  }

  /** An object that sleeps wakes up early enough to be a witness when it is needed. */
  #setDeadline(now: number): void {
    const { deadlines, settings } = this.#job;
    const checkAt = this.store.isEmpty() ? null : this.store.nextCheckAt();
    if (checkAt === null || checkAt - settings.disconnectMs > now) this.#witness.leave();
    if (checkAt === null) {
      deadlines.cancel('expectation', '');
      return;
    }
    if (checkAt - settings.disconnectMs > now) {
      deadlines.arm('expectation', '', checkAt - settings.disconnectMs);
      return;
    }
    const dueAt = Math.max(checkAt, this.#witness.readyAt);
    deadlines.arm('expectation', '', dueAt);
    this.#witness.stayUntil(dueAt);
  }

  /** Judges an expectation by what is known of it now, and stores that. @param came the run that is its last one now */
  #judge(record: ExpectationRecord, { isWitness = false, isNew = false, came = null }: Occasion): void {
    const now = Date.now();
    const expected = expectedOf(record);
    const plan = this.#planOf(expected, now);
    const found = judge(plan, expected.late_after_ms, this.#factsOf(record, now), now);
    const verdict = isWitness || SEVERITY[found.state] <= SEVERITY[record.state] ? found : unjudged(found, record, now);
    const isChanged = isNew || verdict.state !== record.state;
    const isOver = came !== null || !isBroken(found.state);
    if (isOver && record.overdue !== null) this.#addOverdueRun(record.machine, record.overdue, came);
    const judged: ExpectationRecord = {
      ...record,
      state: verdict.state,
      dueAt: verdict.dueAt,
      checkAt: verdict.checkAt,
      problem: plan.kind === 'impossible' ? plan.problem : null,
      overdue: overdueBy(verdict, isOver ? null : record.overdue, now),
      ...(isChanged && { since: verdict.since ?? now, seq: nextSeq(record) }),
    };
    this.store.patch(record.machine, judged);
    if (isChanged) this.#announce(judged);
  }

  #factsOf({ setAt, lastRun, lastStartedAt }: ExpectationRecord, now: number): Facts {
    const last = lastRun === null ? null : this.#job.runs.get(lastRun);
    const lastRanUntil = last !== null && isLive(last.state) ? now : (last?.endedAt ?? null);
    return { setAt, lastStartedAt, lastRanUntil };
  }

  /** D1 alone keeps it. */
  #addOverdueRun(machine: string, overdue: Overdue, came: RunRecord | null): void {
    const ended = { job: this.#job.name, machine, endedAt: Date.now() };
    this.#job.outbox.addOverdueRun(this.overdueRuns.add(overdueRunResource(ended, overdue, came)));
  }

  #announce(record: ExpectationRecord): void {
    const { machine, state, dueAt, seq } = record;
    if (SEVERITY[state] > 0) log.warn('run_expected', { job: this.#job.name, machine, state, due_at: dueAt });
    this.#job.viewers.broadcast({ type: 'expectation', expectation: this.#resource(record) });
    this.#job.outbox.add('expectation', machine, seq);
  }

  #planOf(expected: Expected, now: number): Plan {
    const { every_ms, schedule, time_zone } = expected;
    const key = JSON.stringify([every_ms, schedule, time_zone]);
    const plan = this.#plans.get(key) ?? planOf(expected, now);
    this.#plans.set(key, plan);
    return plan;
  }
}

/** Why an expectation is judged. */
interface Occasion {
  readonly isWitness?: boolean;
  readonly isNew?: boolean;
  readonly came?: RunRecord | null;
}

function isNewer(run: RunRecord, { lastStartedAt }: ExpectationRecord): boolean {
  return run.startedAt > (lastStartedAt ?? 0);
}

function lastRunOf({ id, startedAt }: RunRecord): Pick<ExpectationRecord, 'lastRun' | 'lastStartedAt'> {
  return { lastRun: id, lastStartedAt: startedAt };
}

/** Only a witness may say that it got worse: one is asked at once. */
function unjudged({ dueAt }: Judgement, { state, since }: ExpectationRecord, now: number): Judgement {
  return { state, since, dueAt, checkAt: now };
}

/** Higher than that of any before, also of one that was removed. */
function nextSeq({ seq }: ExpectationRecord): number {
  return Math.max(seq + 1, Date.now());
}

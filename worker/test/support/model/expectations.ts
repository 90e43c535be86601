/**
 * What a job's object should make of expectations, written from docs/schedules.md: when a run is due, and when somebody may
 * say that it is late.
 */
import type { Expected } from '#protocol/expectations';
import { isLive } from '#protocol/run-state';
import type { ModelRun } from './model.ts';

const MINUTE_MS = 60_000;
/** How early a run may start, as clocks differ; but no more than a quarter of the interval. */
const EARLY_MS = 30_000;
/** How long wrappers take to return after the control plane was away. */
const WITNESS_MS = 30_000;
/** An alarm that is later than this shows that the object was away. */
const OVERDUE_MS = 10_000;

/** By what runs are due: a time after the last start, or the multiples of a time, as by a cron expression in UTC. */
type Rule = { readonly kind: 'every' | 'multiples'; readonly ms: number };

interface Expecting {
  readonly sent: Expected;
  /** Null: runs may start at any time, or the schedule never fires. */
  readonly rule: Rule | null;
  readonly lateAfterMs: number;
  readonly isImpossible?: boolean;
}

const NOTHING: Expected = { every_ms: null, schedule: null, time_zone: null, late_after_ms: null, slow_after_ms: null };

const BY_NAME = {
  minutely: {
    sent: { ...NOTHING, every_ms: MINUTE_MS, late_after_ms: 5_000, slow_after_ms: 10_000 },
    rule: { kind: 'every', ms: MINUTE_MS },
    lateAfterMs: 5_000,
  },
  every10Minutes: {
    sent: { ...NOTHING, every_ms: 10 * MINUTE_MS },
    rule: { kind: 'every', ms: 10 * MINUTE_MS },
    lateAfterMs: MINUTE_MS,
  },
  cronOf10Minutes: {
    sent: { ...NOTHING, schedule: '*/10 * * * *', time_zone: 'UTC', late_after_ms: 2_000 },
    rule: { kind: 'multiples', ms: 10 * MINUTE_MS },
    lateAfterMs: 2_000,
  },
  hourly: {
    sent: { ...NOTHING, schedule: '@hourly', slow_after_ms: 30_000 },
    rule: { kind: 'multiples', ms: 60 * MINUTE_MS },
    lateAfterMs: 6 * MINUTE_MS,
  },
  anyTime: { sent: { ...NOTHING, slow_after_ms: 5_000 }, rule: null, lateAfterMs: 0 },
  nothing: { sent: NOTHING, rule: null, lateAfterMs: 0 },
  never: { sent: { ...NOTHING, schedule: '0 0 30 2 *' }, rule: null, lateAfterMs: 0, isImpossible: true },
} as const satisfies Record<string, Expecting>;
export type ExpectedName = keyof typeof BY_NAME;
/** What may be expected. */
export const EXPECTED: Readonly<Record<ExpectedName, Expecting>> = BY_NAME;

type State = 'unknown' | 'ok' | 'late' | 'missed';
const SEVERITY: Readonly<Record<State, number>> = { unknown: 0, ok: 0, late: 1, missed: 2 };

export interface ModelExpectation {
  /** Null: the job as a whole. */
  readonly machine: string | null;
  fromRun: ExpectedName | null;
  fromOperator: ExpectedName | null;
  setAt: number;
  last: ModelRun | null;
  lastStartedAt: number | null;
  state: State;
  since: number;
  dueAt: number | null;
  /** When that may change although no run starts. */
  checkAt: number | null;
}

interface Verdict {
  readonly state: State;
  readonly since: number | null;
  readonly dueAt: number | null;
  readonly checkAt: number | null;
}

export class ModelExpectations {
  #all: ModelExpectation[] = [];
  /** Since when the object would have heard of a run that starts. */
  #witnessSince: number;
  /** What alerts are told, by machine: an outage of D1 may keep all but the last from being sent. */
  readonly said = new Map<string | null, { readonly all: Set<string>; last: string | null }>();

  constructor(now: number) {
    this.#witnessSince = now;
  }

  list(): readonly ModelExpectation[] {
    return this.#all.toSorted((one, other) => ((one.machine ?? '') < (other.machine ?? '') ? -1 : 1));
  }

  /** After how long a run on a machine is slow. */
  slowAfterMs(machine: string): number | null {
    const known = [this.#get(machine), this.#get(null)];
    return known.map((each) => each && expecting(each).sent.slow_after_ms).find((ms) => ms !== null) ?? null;
  }

  /** A run is reported for the first time. */
  runStarted(run: ModelRun, expected: ExpectedName | null, runs: readonly ModelRun[], now: number): void {
    if (expected !== null && this.#get(run.machine)?.fromRun !== expected) {
      this.#set(run.machine, { fromRun: expected }, runs, now);
    }
    for (const each of this.#all) {
      if (each.machine !== null && each.machine !== run.machine) continue;
      if (each.lastStartedAt !== null && run.startedAt <= each.lastStartedAt) continue;
      each.last = run;
      each.lastStartedAt = run.startedAt;
      this.#judge(each, now);
    }
  }

  set(machine: string | null, expected: ExpectedName, runs: readonly ModelRun[], now: number): void {
    this.#set(machine, { fromOperator: expected }, runs, now);
  }

  remove(machine: string | null): void {
    this.#all = this.#all.filter((each) => each.machine !== machine);
    const said = this.said.get(machine);
    if (said !== undefined) said.last = null;
  }

  /** When the object looks next: in time to be a witness, or when it has been one for long enough. */
  nextLook(now: number): number | null {
    const checkAt = this.#nextCheck();
    if (checkAt === null) return null;
    return checkAt - WITNESS_MS > now ? checkAt - WITNESS_MS : Math.max(checkAt, this.#witnessSince + WITNESS_MS);
  }

  /** @param lookAt when it was to look */
  look(lookAt: number, isD1Away: boolean, now: number): void {
    if (now - lookAt > OVERDUE_MS || isD1Away) this.#witnessSince = now;
    if (now < this.#witnessSince + WITNESS_MS) return;
    for (const each of this.#all) {
      if (each.checkAt !== null && each.checkAt <= now) this.#judge(each, now, { isWitness: true });
    }
  }

  objectReplaced(now: number): void {
    this.#witnessSince = now;
  }

  #get(machine: string | null): ModelExpectation | null {
    return this.#all.find((each) => each.machine === machine) ?? null;
  }

  #nextCheck(): number | null {
    const checks = this.#all.flatMap(({ checkAt }) => checkAt ?? []);
    return checks.length === 0 ? null : Math.min(...checks);
  }

  #set(
    machine: string | null,
    change: Partial<Pick<ModelExpectation, 'fromRun' | 'fromOperator'>>,
    runs: readonly ModelRun[],
    now: number,
  ): void {
    const known = this.#get(machine);
    const each = known ?? newExpectation(machine, lastOf(runs, machine), now);
    if (known === null) this.#all.push(each);
    // The page has precedence over the command line.
    const isOverruled = each.fromOperator !== null && change.fromOperator === undefined;
    Object.assign(each, change);
    if (!isOverruled) {
      each.setAt = now;
      each.state = 'unknown';
    }
    this.#judge(each, now, { isNew: true });
  }

  #judge(each: ModelExpectation, now: number, { isWitness = false, isNew = false } = {}): void {
    const found = verdictOn(each, now);
    const isBetter = SEVERITY[found.state] <= SEVERITY[each.state];
    // That it got worse only a witness may say.
    const verdict = isWitness || isBetter ? found : { ...found, state: each.state, since: each.since, checkAt: now };
    const isNews = isNew || verdict.state !== each.state;
    each.dueAt = verdict.dueAt;
    each.checkAt = verdict.checkAt;
    if (!isNews) return;
    each.state = verdict.state;
    each.since = verdict.since ?? now;
    const of = { ok: each.since, late: each.dueAt, missed: each.dueAt, unknown: null }[each.state];
    const last = of === null ? null : `${each.state}:${of}`;
    const all = this.said.get(each.machine)?.all ?? new Set<string>();
    this.said.set(each.machine, { all: last === null ? all : all.add(last), last });
  }
}

/** @param last the newest run there */
function newExpectation(machine: string | null, last: ModelRun | null, now: number): ModelExpectation {
  return {
    machine,
    fromRun: null,
    fromOperator: null,
    setAt: now,
    last,
    lastStartedAt: last?.startedAt ?? null,
    state: 'unknown',
    since: now,
    dueAt: null,
    checkAt: null,
  };
}

/** Of two that started together, the one with the later id. */
function lastOf(runs: readonly ModelRun[], machine: string | null): ModelRun | null {
  const there = runs.filter((run) => run.known && (machine === null || machine === run.machine));
  const byStart = there.toSorted((one, other) => one.startedAt - other.startedAt || (one.id < other.id ? -1 : 1));
  return byStart.at(-1) ?? null;
}

export function expecting({ fromOperator, fromRun }: ModelExpectation): Expecting {
  return EXPECTED[fromOperator ?? fromRun ?? 'nothing'];
}

/** The truth at a time, whoever may say it. */
function verdictOn(each: ModelExpectation, now: number): Verdict {
  const { rule, lateAfterMs } = expecting(each);
  const dueAt = rule === null ? null : dueTime(rule, each, now);
  if (rule === null || dueAt === null) {
    return { state: each.lastStartedAt === null ? 'unknown' : 'ok', since: null, dueAt: null, checkAt: null };
  }
  const lateAt = dueAt + lateAfterMs;
  if (now < lateAt) {
    return { state: each.lastStartedAt === null ? 'unknown' : 'ok', since: null, dueAt, checkAt: lateAt };
  }
  const nextAt = nextDue(rule, dueAt, lateAt);
  return now < nextAt
    ? { state: 'late', since: lateAt, dueAt, checkAt: nextAt }
    : { state: 'missed', since: nextAt, dueAt, checkAt: null };
}

function dueTime(rule: Rule, each: ModelExpectation, now: number): number {
  const { setAt, last, lastStartedAt } = each;
  if (lastStartedAt === null) return nextDue(rule, setAt, setAt);
  const due = dueAfterStart(rule, lastStartedAt, setAt);
  const ranUntil = last !== null && isLive(last.state) ? now : (last?.endedAt ?? null);
  // It stands in for the one that was due while it ran.
  return ranUntil !== null && ranUntil >= due ? nextDue(rule, due, due) : due;
}

function dueAfterStart({ kind, ms }: Rule, startedAt: number, setAt: number): number {
  // What was not expected before is not missed.
  if (kind === 'every') return Math.max(startedAt + ms, setAt);
  const isEarly = ms - (startedAt % ms) <= Math.min(EARLY_MS, ms / 4);
  const due = multipleAfter(ms, startedAt) + (isEarly ? ms : 0);
  return due <= setAt && startedAt < setAt ? multipleAfter(ms, setAt) : due;
}

/** The first due time after a time, of those that follow another one. */
function nextDue({ kind, ms }: Rule, due: number, time: number): number {
  return kind === 'multiples' ? multipleAfter(ms, time) : due + ms * (Math.floor((time - due) / ms) + 1);
}

function multipleAfter(ms: number, time: number): number {
  return (Math.floor(time / ms) + 1) * ms;
}

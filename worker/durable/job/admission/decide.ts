/**
 * Whether a run that asks may start. Pure: it is given the job's runs and the orders that apply, and says what to answer.
 *
 * The lock is the run itself: one that was told to start, or that runs without having asked, is in the way of others until
 * it has ended or was declared lost. A run that waits is in nobody's way.
 */
import { type BlockingRun, MAX_BLOCKING_RUNS, type OverlapScope, type Question } from '#protocol/admission';
import { orderText, type StandingOrder } from '#protocol/brakes';
import { activeOrder } from '../brakes.ts';
import type { Refusal, RunRecord } from '../run-store.ts';

/** The parts of a run that the decision depends on. */
export type AskedRun = Pick<
  RunRecord,
  'id' | 'machine' | 'state' | 'startedAt' | 'askedAt' | 'question' | 'fence' | 'refusal' | 'pid'
>;

export type Decision =
  | { readonly kind: 'start' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'skip'; readonly refusal: Refusal; readonly blockedBy: readonly AskedRun[] };

/** What there is besides the run that asks. */
export interface Situation {
  readonly now: number;
  /** The runs of the job that hold a lock. */
  readonly holders: readonly AskedRun[];
  /** The brakes and the maintenance that match the run. */
  readonly orders: readonly StandingOrder[];
}

/** What to answer a run that has no answer yet, or waits. */
export function decide(run: AskedRun, question: Question, { now, holders, orders }: Situation): Decision {
  const order = activeOrder(orders, now);
  if (order !== null) {
    const reason = order.kill ? 'brake' : 'maintenance';
    return { kind: 'skip', refusal: { reason, detail: orderText(order) }, blockedBy: [] };
  }
  if (question.overlap === 'allow') return { kind: 'start' };
  const blockedBy = holders.filter((other) => isInWay(other, run, question));
  if (blockedBy.length === 0) return { kind: 'start' };
  if (question.overlap !== 'skip') return { kind: 'wait' };
  return { kind: 'skip', refusal: { reason: 'overlap', detail: null }, blockedBy };
}

/** Whether a run is in the way of others that ask: it was told to start, or runs without that. */
export function holdsLock({ state, question, fence, pid }: AskedRun): boolean {
  switch (state) {
    case 'running':
      return true;
    case 'waiting':
      return fence !== null;
    case 'killing':
      // Killed while it waited, it has started nothing.
      return question === null || fence !== null || pid !== null;
    default:
      return false;
  }
}

/** Whether a run waits to be told to start. */
export function isWaiting({ state, fence, refusal }: Pick<AskedRun, 'state' | 'fence' | 'refusal'>): boolean {
  return state === 'waiting' && fence === null && refusal === null;
}

/** Whether a run asked for no other to run beside it. */
export function isExclusive({ question }: Pick<AskedRun, 'question'>): boolean {
  return question !== null && question.overlap !== 'allow';
}

/** Whether `other` keeps `run` from starting. */
export function isInWay(other: AskedRun, run: AskedRun, { scope }: Pick<Question, 'scope'>): boolean {
  return other.id !== run.id && holdsLock(other) && isInScope(other, run, scope);
}

/**
 * The runs that a waiting run is said to wait for: the one in front of it in line, or, of the first, those in its way. So
 * when a run ends, only the next in line changes: no row is written for those behind it.
 */
export function waitsFor(
  run: AskedRun,
  question: Question,
  { holders, waiting }: { readonly holders: readonly AskedRun[]; readonly waiting: readonly AskedRun[] },
): readonly AskedRun[] {
  const inFront = waiting
    .filter((other) => isInScope(other, run, question.scope) && byTurn(other, run) < 0)
    .sort(byTurn)
    .at(-1);
  return inFront === undefined ? holders.filter((other) => isInWay(other, run, question)) : [inFront];
}

/** The runs that are to be killed for a run with `kill-old`: of those in its way, the ones from before it. */
export function toKill<Run extends AskedRun>(
  run: AskedRun,
  question: Question,
  holders: readonly Run[],
): readonly Run[] {
  if (question.overlap !== 'kill-old') return [];
  return holders.filter((other) => isInWay(other, run, question) && byTurn(other, run) < 0);
}

/** In the order in which they asked; those that did not ask, when they started. */
export function byTurn(one: AskedRun, other: AskedRun): number {
  const difference = (one.askedAt ?? one.startedAt) - (other.askedAt ?? other.startedAt);
  if (difference !== 0) return difference;
  return one.id < other.id ? -1 : 1;
}

function isInScope(other: AskedRun, run: AskedRun, scope: OverlapScope): boolean {
  return scope === 'job' || other.machine === run.machine;
}

/** As they are named to people and to the wrapper: not all of very many. */
export function blockingRuns(runs: readonly AskedRun[]): BlockingRun[] {
  return runs.slice(0, MAX_BLOCKING_RUNS).map(({ id, machine, startedAt }) => ({
    run: id,
    machine,
    started_at: new Date(startedAt).toISOString(),
  }));
}

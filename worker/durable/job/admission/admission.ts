/**
 * Answers runs that ask before their start, and tells the next one to start when what was in its way has ended.
 *
 * There is no lock besides the runs, so none can be left behind. What a run was told is in its row: it gets the same answer
 * when it asks again after a reconnect, and an object that was evicted knows what it has said before.
 */
import type { Answer, Question } from '#protocol/admission';
import type { NewRunEvent } from '#protocol/api';
import type { StandingOrder } from '#protocol/brakes';
import { log } from '../../../shared/log.ts';
import type { JobContext } from '../job-context.ts';
import type { RunRecord } from '../run-store.ts';
import type { NewRun } from '../run-updater.ts';
import { sendToWrapper } from '../sockets.ts';
import {
  blockingRuns,
  byTurn,
  decide,
  holdsLock,
  isExclusive,
  isInWay,
  isWaiting,
  toKill,
  waitsFor,
} from './decide.ts';
import { nextFence } from './fence.ts';

/** What a decision changes of a run, and what happens to it by that. */
interface Verdict {
  readonly changes: Partial<Pick<RunRecord, 'fence' | 'refusal' | 'blockedBy'>>;
  readonly events: readonly NewRunEvent[];
}

const UNCHANGED: Verdict = { changes: {}, events: [] };

/** The runs that matter to one that asks, in the order of their turns. */
interface Line {
  readonly holders: readonly RunRecord[];
  readonly waiting: readonly RunRecord[];
}

export class Admission {
  readonly #job: JobContext;
  /**
   * Whether an open run asked for no other to run beside it; null if that has to be looked up. In most jobs none ever does,
   * and then nothing that happens to a run needs a look at the others.
   */
  #hasExclusive: boolean | null = null;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** What a new run that asks is told. It is stored with the run: the decision costs no row of its own. */
  judgeNew(run: NewRun, question: Question): Verdict {
    return this.#judge(run, question, question.overlap === 'allow' ? { holders: [], waiting: [] } : this.#line());
  }

  /** A run was stored: if it wants to be alone, others have to be looked at from now on. */
  stored(run: RunRecord): void {
    if (isExclusive(run)) this.#hasExclusive = true;
  }

  /** A run asks, for the first time or again: answers it as soon as that is stored. */
  asked(run: RunRecord): void {
    const line = this.#line();
    const judged = this.#judgeAgain(run, line);
    this.#killOld(judged, line);
    this.#answer(judged);
  }

  /**
   * A run has started. That may be against what others were promised, or itself: unless it was told to, and to be alone in
   * the whole job. On its machine alone, it may be beside one that is to be alone in the job.
   */
  started(run: RunRecord): void {
    const isAlone = run.fence !== null && isExclusive(run) && run.question?.scope === 'job';
    if (!isAlone) this.#recordOverlaps(run);
  }

  /** A run has returned that was lost, and in nobody's way since. */
  returned(run: RunRecord): void {
    this.#recordOverlaps(run);
  }

  /** A run has ended or was declared lost: whoever waits for it may start. */
  left(run: RunRecord): void {
    if (!this.#isAnyExclusive()) return;
    if (run.final) this.#hasExclusive = null;
    this.moveUp();
  }

  /** Looks again at the runs that wait, in the order in which they asked. */
  moveUp(): void {
    if (this.#job.runs.waiting().length === 0) return;
    let line = this.#line();
    for (const run of line.waiting) {
      const judged = this.#judgeAgain(run, line);
      this.#killOld(judged, line);
      if (judged === run) continue;
      this.#answer(judged);
      line = moved(line, judged);
    }
  }

  /** An order was given since these runs asked. */
  refuse(runs: readonly RunRecord[], order: StandingOrder): void {
    this.#job.storage.transaction(() => {
      for (const run of runs) this.#job.sockets.addOrder(run, order);
      this.moveUp();
    });
  }

  /** What is in memory may differ from what is stored. */
  rolledBack(): void {
    this.#hasExclusive = null;
  }

  /** @returns the run itself if nothing has changed */
  #judgeAgain(run: RunRecord, line: Line): RunRecord {
    if (run.question === null || !isWaiting(run)) return run;
    const { changes, events } = this.#judge(run, run.question, line);
    return events.length === 0 ? run : this.#job.runUpdater.update(run, changes, ...events);
  }

  #judge(run: NewRun, question: Question, line: Line): Verdict {
    const link = this.#job.sockets.linkOf(run);
    // Whoever can't be told keeps its place in line. The socket of a broken link may still look open.
    if (!run.connected || link === null || link.isKeeper) return UNCHANGED;
    const at = new Date().toISOString();
    const decision = decide(run, question, { now: Date.now(), holders: line.holders, orders: link.orders ?? [] });
    switch (decision.kind) {
      case 'start': {
        // A kill has to end it, and not to race with its start.
        if (this.#job.killController.isAimedAt(run)) return UNCHANGED;
        const fence = nextFence(this.#job.sql);
        log.info('run_admitted', { job: this.#job.name, run: run.id, machine: run.machine, fence });
        return { changes: { fence }, events: [{ type: 'admitted', at, fence }] };
      }
      case 'skip': {
        const { refusal } = decision;
        const blockedBy = blockingRuns(decision.blockedBy);
        log.info('run_refused', { job: this.#job.name, run: run.id, machine: run.machine, reason: refusal.reason });
        return {
          changes: { refusal, blockedBy },
          events: [{ type: 'skipped', at, ...refusal, blocked_by: blockedBy }],
        };
      }
      case 'wait': {
        if (isStillAhead(run, question, line)) return UNCHANGED;
        const blockedBy = blockingRuns(waitsFor(run, question, line));
        return { changes: { blockedBy }, events: [{ type: 'blocked', at, blocked_by: blockedBy }] };
      }
    }
  }

  /** Makes a kill for each run that a waiting one replaces. */
  #killOld(run: RunRecord, { holders }: Line): void {
    if (run.question === null || !isWaiting(run) || this.#job.sockets.linkOf(run)?.isKeeper !== false) return;
    if (this.#job.killController.isAimedAt(run)) return;
    for (const old of toKill(run, run.question, holders)) this.#job.killController.killFor(run, old);
  }

  /** Sends a run what it was told, once that is stored: a run must not start with a fence that is forgotten. */
  #answer({ id }: RunRecord): void {
    this.#job.storage.afterCommit(() => {
      const run = this.#job.runs.get(id);
      const socket = run === null ? null : this.#job.sockets.current(run);
      const answer = run === null ? null : answerTo(run);
      if (answer !== null && socket !== null) sendToWrapper(socket, answer);
    });
  }

  /** Tells each run that asked for no other beside it of those that there are all the same. */
  #recordOverlaps(run: RunRecord): void {
    if (!this.#isAnyExclusive()) return;
    const { holders } = this.#line();
    const at = new Date().toISOString();
    for (const holder of holders) {
      if (!isExclusive(holder)) continue;
      const others = holder.id === run.id ? holders : [run];
      const beside = others.filter((other) => holder.question !== null && isInWay(other, holder, holder.question));
      if (beside.length === 0) continue;
      log.warn('runs_overlap', { job: this.#job.name, run: holder.id, beside: beside.length });
      this.#job.runUpdater.addEvents(holder, { type: 'overlapped', at, runs: blockingRuns(beside) });
    }
    this.moveUp();
  }

  #isAnyExclusive(): boolean {
    this.#hasExclusive ??= this.#job.runs.hasExclusive();
    return this.#hasExclusive;
  }

  #line(): Line {
    return {
      holders: this.#job.runs.inUse().filter(holdsLock).sort(byTurn),
      waiting: this.#job.runs.waiting().sort(byTurn),
    };
  }
}

/** The line after a run was told something. */
function moved({ holders, waiting }: Line, judged: RunRecord): Line {
  const others = waiting.filter(({ id }) => id !== judged.id);
  if (isWaiting(judged)) return { holders, waiting: [...others, judged].sort(byTurn) };
  return { holders: holdsLock(judged) ? [...holders, judged] : holders, waiting: others };
}

/** Whether one of the runs that it waits for, as it was told, is still in front of it. */
function isStillAhead(run: NewRun, question: Question, { holders, waiting }: Line): boolean {
  return run.blockedBy.some(
    ({ run: id }) =>
      holders.some((holder) => holder.id === id && isInWay(holder, run, question)) ||
      waiting.some((other) => other.id === id && byTurn(other, run) < 0),
  );
}

/** What a run was told, if that still matters to it. */
function answerTo({ state, fence, refusal, blockedBy }: RunRecord): Answer | null {
  const answer = { type: 'answer' as const, reason: null, detail: null, blocked_by: [...blockedBy], fence };
  if (state === 'running' || (state === 'waiting' && fence !== null)) {
    return { ...answer, decision: 'start', blocked_by: [] };
  }
  if (state !== 'waiting') return null;
  return refusal === null ? { ...answer, decision: 'wait' } : { ...answer, ...refusal, decision: 'skip' };
}

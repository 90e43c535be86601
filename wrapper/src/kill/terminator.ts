/** Carries out what `decide` decides: signals the process tree, looks at it, and reports each step. */
import { performance } from 'node:perf_hooks';
import type { AppliedKill, Killing } from '#protocol/wrapper-link';
import { LongTimer } from '../clock/long-timer.ts';
import { describeError, type Log } from '../logging/log.ts';
import type { ProcessTree } from '../processes/process-tree.ts';
import {
  type Action,
  appliedKills,
  decide,
  type EndRequest,
  isUnderWay,
  MAX_SURVIVORS,
  NOT_ENDING,
  type Stage,
  type Termination,
  type TerminationEvent,
} from './decide.ts';
import { KillTimings } from './kill-timings.ts';

const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 100;
const BACK_OFF = 1.5;
/**
 * A look at a machine with very many processes takes long: at most this share of the time goes into looking. A grace may
 * be hours; the SIGKILL phase takes seconds, and must keep up with what forks.
 */
const LOOK_SHARE = { term: 0.1, kill: 0.5 };

/** What the terminator needs of a process tree. */
export type KillableTree = Pick<
  ProcessTree,
  'members' | 'leaderHasExited' | 'signal' | 'mayHoldOutput' | 'related' | 'includeRelated'
>;

/** The command's output, as far as it tells whether anything is left of the command. */
export interface HeldOutput {
  /** Whether something may still print into it. */
  isOpen(): boolean;
  /** Reads what is there, however far behind its own reader is, so that the end is noticed. */
  drain(): void;
}

export class Terminator {
  readonly #tree: KillableTree;
  readonly #age: () => number;
  readonly #onKilling: (killing: Killing) => void;
  readonly #log: Log;
  readonly #alarm: LongTimer;
  readonly #timings = new KillTimings();
  #state: Termination;
  #leaderCollected = false;
  #lastSeen: readonly number[] = [];
  #output: HeldOutput | null = null;
  #pauseMs = FIRST_LOOK_MS;
  #waiting: (() => void)[] = [];
  #setGone: () => void = () => {};
  readonly #gone = new Promise<void>((resolve) => {
    this.#setGone = resolve;
  });

  /**
   * @param age the run's age in ms
   * @param onKilling is called with each step, to be reported
   * @param state how far a terminator in another process had come
   */
  constructor(
    tree: KillableTree,
    age: () => number,
    onKilling: (killing: Killing) => void,
    log: Log,
    state: Termination = NOT_ENDING,
  ) {
    this.#state = state;
    this.#tree = tree;
    this.#age = age;
    this.#onKilling = onKilling;
    this.#log = log;
    this.#alarm = new LongTimer(age, () => this.#look());
    this.#lookLater(FIRST_LOOK_MS);
    if (state.includesRelated) tree.includeRelated();
    if (state.stage.kind === 'gone') this.#setGone();
  }

  /** The whole state, from which a successor can continue. */
  get termination(): Termination {
    return this.#state;
  }

  get stage(): Stage {
    return this.#state.stage;
  }

  get appliedKills(): AppliedKill[] {
    return appliedKills(this.#state);
  }

  /** Adds to a step of an operator's kill, which is about to be sent, how long it took until now. */
  withTiming(step: Killing): Killing {
    const timing = step.kill === null ? null : this.#timings.of(step.kill, performance.now());
    return timing === null ? step : { ...step, timing };
  }

  /** From now on the end is reported only when nothing holds the output any more, or with the fact that something does. */
  watchOutput(output: HeldOutput): void {
    this.#output = output;
  }

  /** The output that is watched has ended. */
  outputEnded(): void {
    if (this.#state.heldUnseenSince !== null && isUnderWay(this.stage)) this.#look();
  }

  /**
   * An operator's kill, one of the run's limits, or a signal to us.
   *
   * @param announce is called when a signal that it needs has been sent, before its steps are reported: with whether it is
   *   what ends the run
   */
  request(request: EndRequest, announce: (isFirst: boolean) => void = () => {}): void {
    const { cause, receivedAt } = request;
    if (cause.kind === 'operator' && receivedAt !== undefined && !this.#isKnown(cause.kill))
      this.#timings.received(cause.kill, receivedAt);
    // An exit that has happened but that we have not heard of yet still came first.
    if (this.#state.stage.kind === 'running' && this.#tree.leaderHasExited()) this.#handle({ kind: 'leader_exited' });
    const isFirst = this.#state.stage.kind === 'running';
    this.#handle({ kind: 'requested', request }, () => announce(isFirst));
    if (isUnderWay(this.stage)) {
      this.#pauseMs = FIRST_LOOK_MS;
      this.#lookLater(FIRST_LOOK_MS);
    }
  }

  /** Whether it is repeated, perhaps to a successor of the process that received it first. */
  #isKnown(kill: string): boolean {
    return this.#state.progress.some(({ cause }) => cause.kind === 'operator' && cause.kill === kill);
  }

  /** The command's own process has exited and been collected. */
  leaderExited(): void {
    this.#leaderCollected = true;
    this.#handle({ kind: 'leader_exited' });
    if (isUnderWay(this.stage)) this.#look();
  }

  /** Resolves at once unless the run is being ended; then when nothing is left or the SIGKILL phase is over. */
  over(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#resolveWaiting();
    });
  }

  /** Resolves when the SIGKILL phase is over, and never unless the run is being ended. */
  sigkillPhaseOver(): Promise<void> {
    return this.#gone;
  }

  #look(): void {
    const started = this.#age();
    const before = this.stage.kind;
    const seen = this.#see();
    const tookMs = this.#age() - started;
    this.#handle(seen);
    // What has just been killed is gone in a moment.
    this.#pauseMs = before === this.stage.kind ? Math.min(LAST_LOOK_MS, this.#pauseMs * BACK_OFF) : FIRST_LOOK_MS;
    const share = this.stage.kind === 'kill' ? LOOK_SHARE.kill : LOOK_SHARE.term;
    this.#lookLater(Math.max(this.#pauseMs, tookMs / share));
  }

  #see(): TerminationEvent {
    try {
      const members = this.#tree.members();
      this.#lastSeen = members;
      const leaderCollected = this.#leaderCollected;
      return { kind: 'looked', members, leaderCollected, isHeldUnseen: leaderCollected && this.#isHeldUnseen(members) };
    } catch (error) {
      // Not knowing is no reason to stop: SIGKILL is still sent, and the end of the SIGKILL phase is bounded by time.
      this.#log.info(`cannot list the command's processes: ${describeError(error)}`);
      return { kind: 'not_looked', members: this.#lastSeen };
    }
  }

  /** With very many survivors it doesn't matter which of them holds it. Related processes may hold it as long as they like. */
  #isHeldUnseen(members: readonly number[]): boolean {
    if (this.#output?.isOpen() !== true || members.length > MAX_SURVIVORS) return false;
    const related = this.#tree.related().map(({ pid }) => pid);
    return ![...members, ...related].some((pid) => this.#tree.mayHoldOutput(pid));
  }

  #lookLater(ms: number): void {
    const { stage } = this;
    const now = this.#age();
    // A grace that is over while no process is seen is not waited for any more.
    const killAt = stage.kind === 'term' && stage.killAt > now ? stage.killAt : Number.POSITIVE_INFINITY;
    if (!isUnderWay(stage)) this.#alarm.clear();
    else this.#alarm.set(Math.min(now + ms, killAt));
  }

  /** @param announce is called between the signals and the reports */
  #handle(event: TerminationEvent, announce: () => void = () => {}): void {
    const before = this.stage.kind;
    const { next, actions } = decide(this.#state, event, this.#age());
    this.#state = next;
    if (next.stage.kind === 'gone' && before !== 'gone' && isNobodyLeft(next.stage))
      this.#timings.gone(performance.now());
    // Signals come first of all: what is logged, saved and sent has to wait for them.
    const isReport = ({ kind }: Action) => kind === 'report';
    this.#perform(actions.filter((action) => !isReport(action)));
    announce();
    this.#perform(actions.filter(isReport));
    if (before !== this.stage.kind) this.#resolveWaiting();
  }

  #perform(actions: readonly Action[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case 'include_related':
          this.#tree.includeRelated();
          break;
        case 'signal':
          this.#signal(action.signals);
          break;
        case 'drain':
          this.#output?.drain();
          break;
        case 'report':
          this.#onKilling(action.killing);
          break;
      }
    }
  }

  #signal(signals: readonly string[]): void {
    const sentAt = this.#tree.signal(...(signals as readonly NodeJS.Signals[]));
    if (sentAt !== null) this.#timings.signalled(sentAt);
  }

  #resolveWaiting(): void {
    if (isUnderWay(this.stage)) return;
    if (this.stage.kind === 'gone') this.#setGone();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function isNobodyLeft({ survivors, unnamedSurvivors }: Extract<Stage, { kind: 'gone' }>): boolean {
  return survivors.length === 0 && !unnamedSurvivors;
}

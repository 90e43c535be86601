/** Kills of what a run has left running, carried out like kills of the run. */
import type { AppliedKill, Killing, KillMessage } from '#protocol/wrapper-link';
import { leaderless } from '../kill/kill-tree.ts';
import { Terminator } from '../kill/terminator.ts';
import type { Log } from '../logging/log.ts';
import type { ProcessTree } from '../processes/process-tree.ts';

export interface KillsAfterEndEvents {
  killing(step: Killing): void;
  /** A kill is over: something less may be left. */
  gone(): void;
}

export interface KillDefaults {
  readonly signal: string;
  readonly graceMs: number;
}

/** A control plane gone mad must not fill the memory. */
const MAX_REMEMBERED = 200;

export class KillsAfterEnd {
  readonly #defaults: KillDefaults;
  readonly #tree: ProcessTree;
  readonly #age: () => number;
  readonly #log: Log;
  readonly #events: KillsAfterEndEvents;
  #finished: readonly AppliedKill[] = [];
  #terminator: Terminator | null = null;

  /**
   * @param defaults the signal and grace for kills that name none
   * @param age the run's age in ms, whole
   */
  constructor(tree: ProcessTree, defaults: KillDefaults, age: () => number, log: Log, events: KillsAfterEndEvents) {
    this.#defaults = defaults;
    this.#tree = tree;
    this.#age = age;
    this.#log = log;
    this.#events = events;
  }

  /** How far each kill is. */
  get applied(): readonly AppliedKill[] {
    return [...this.#finished, ...(this.#terminator?.appliedKills ?? [])];
  }

  /** Adds to a step, which is about to be sent, how long the kill took until now. */
  withTiming(step: Killing): Killing {
    return this.#terminator?.withTiming(step) ?? step;
  }

  request({ kill, signal, grace_ms, include }: KillMessage, receivedAt: number): void {
    const known = this.#finished.find((each) => each.kill === kill);
    if (known !== undefined) {
      this.#events.killing({ type: 'killing', reason: 'operator', ...known });
      return;
    }
    this.#terminator ??= this.#startTerminator();
    this.#terminator.request({
      cause: { kind: 'operator', kill },
      signal: signal ?? this.#defaults.signal,
      graceMs: grace_ms ?? this.#defaults.graceMs,
      includeRelated: include === 'related',
      receivedAt,
    });
    // The leader's exit isn't waited for.
    this.#terminator.leaderExited();
  }

  #startTerminator(): Terminator {
    const { killing, gone } = this.#events;
    const terminator = new Terminator(leaderless(this.#tree), this.#age, killing, this.#log);
    void terminator.sigkillPhaseOver().then(() => {
      // What it could not end may be tried again by another kill.
      this.#finished = [...this.#finished, ...terminator.appliedKills].slice(-MAX_REMEMBERED);
      this.#terminator = null;
      gone();
    });
    return terminator;
  }
}

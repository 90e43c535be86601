/**
 * The link for the rest of the run: it may not exist yet, or never, and no failure in it reaches the caller.
 */

import { performance } from 'node:perf_hooks';
import type { Usage } from '#protocol/usage';
import type { Killing } from '#protocol/wrapper-link';
import { formatDuration } from '#shared/format-duration';
import { LongTimer } from '../clock/long-timer.ts';
import { RunningClock } from '../clock/running-clock.ts';
import { describeError, type Log } from '../logging/log.ts';
import type { Link, LinkEvents, LinkState } from './link.ts';
import { decideShutdown } from './shutdown-policy.ts';

/** How long an outage lasts before a line warns of it. */
const OUTAGE_MS = 60_000;

/** Why not all of a run is stored at the control plane. */
export interface Unreported {
  readonly why: string;
  /**
   * Whether the control plane has refused the run, or the wrapper failed, and that has been logged: a later attempt may
   * succeed, or none ever will.
   */
  readonly refusal: 'none' | 'for_now' | 'for_good';
}

export type OpenLink = (events: LinkEvents) => Promise<Link>;

export class Uplink {
  /** Called with how much of a run's output the control plane keeps. */
  onOutputLimit: (bytes: number) => void = () => {};
  /** Called with how often output is sent at least; null: there is no connection. */
  onPaced: (intervalMs: number | null) => void = () => {};
  /** Called with whether a person looks at the run. */
  onWatched: (isWatched: boolean) => void = () => {};
  readonly #log: Log;
  #link: Link | null = null;
  readonly #startedAt = performance.now();
  #failure: string | null = null;
  /** Since when (performance.now()) the control plane had been out of reach when we failed. */
  #unreachableAtFailure = 0;
  readonly #outage = new LongTimer(
    () => performance.now(),
    () => this.#warnOfOutage(),
  );
  #hasWarnedOfOutage = false;
  #isDraining = false;
  #isDrainAborted = false;
  #wake: () => void = () => {};

  /** @param open loads the network code and starts to dial; called once, at once */
  constructor(open: OpenLink, onKill: LinkEvents['kill'], log: Log) {
    this.#log = log;
    const events: LinkEvents = {
      kill: onKill,
      changed: () => this.#changed(),
      outputLimit: (bytes) => this.onOutputLimit(bytes),
      paced: (intervalMs) => this.onPaced(intervalMs),
      watched: (isWatched) => this.onWatched(isWatched),
    };
    open(events).then(
      (link) => {
        if (this.#failure !== null) return link.giveUp(this.#failure);
        this.#link = link;
        this.#watchForOutage();
        // A link that was there before the run may not have been told.
        if (this.#isDraining) this.#guarded((open) => open.completed());
      },
      (error: unknown) => this.fail(error),
    );
  }

  outputGrew(): void {
    this.#guarded((link) => link.outputGrew());
  }

  /** For how long the control plane has been out of reach; null while it is not. */
  get offlineForMs(): number | null {
    const since = this.#unreachableSince;
    return since === null ? null : performance.now() - since;
  }

  get #unreachableSince(): number | null {
    if (this.#failure !== null) return this.#unreachableAtFailure;
    return this.#link === null ? this.#startedAt : this.#link.unreachableSince;
  }

  /** Output that was on disk can be read now. */
  outputReadable(): void {
    this.#guarded((link) => link.outputReadable());
  }

  killing(killing: Killing): void {
    this.#guarded((link) => link.killing(killing));
  }

  usage(usage: Usage): void {
    this.#guarded((link) => link.usage(usage));
  }

  /** Something in the wrapper failed: the run continues without a link. */
  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#unreachableAtFailure = this.#unreachableSince ?? performance.now();
    this.#failure = `the wrapper failed: ${describeError(error)}`;
    this.#log.warn(`${this.#failure}; the command keeps running, but the control plane can no longer see or stop it`);
    const link = this.#link;
    this.#link = null;
    link?.giveUp(this.#failure);
    this.#wake();
  }

  /** Cuts the drain short, because the wrapper is to exit. */
  abortDrain(): void {
    this.#isDrainAborted = true;
    this.#wake();
  }

  /**
   * Call when the record has its completion: waits, for a bounded time, until that and all output are stored.
   *
   * @param spooled whether the rest can be reported from a spool; until that is known, it counts as false
   * @param unstored how many bytes of output are not stored by now
   * @returns null when they are
   */
  async drain(spooled: Promise<boolean>, unstored: () => number): Promise<Unreported | null> {
    const clock = new RunningClock();
    const unreported = await this.#drain(spooled, unstored, clock);
    clock.stop();
    return unreported;
  }

  async #drain(spooled: Promise<boolean>, unstored: () => number, clock: RunningClock): Promise<Unreported | null> {
    const endedAt = performance.now();
    const unstoredAtEnd = unstored();
    let progress = this.#link?.progressAt ?? null;
    let progressAt: number | null = null;
    clock.onTurn = () => this.#wake();
    this.#isDraining = true;
    this.#outage.clear();
    let isSpooled = false;
    void spooled.then((known) => {
      isSpooled = known;
      this.#wake();
    });
    this.#guarded((link) => link.completed());
    for (;;) {
      const latest = this.#link?.progressAt ?? null;
      if (latest !== progress) progressAt = clock.now();
      progress = latest;
      const decision = decideShutdown({
        state: this.#state,
        now: clock.now(),
        endedAt: 0,
        wallMs: performance.now() - endedAt,
        progressAt,
        spooled: isSpooled,
        unstoredAtEnd,
        unstored: unstored(),
      });
      if (decision.kind === 'exit' || this.#isDrainAborted) {
        const why = this.#failure ?? this.#link?.lastFailure ?? 'it did not respond in time';
        const refusal = refusalIn(this.#state);
        await this.#link?.close();
        return decision.kind === 'exit' && decision.isAllStored ? null : { why, refusal };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get #state(): LinkState {
    if (this.#failure !== null) return 'given_up';
    return this.#link?.state ?? 'connecting';
  }

  #changed(): void {
    this.#watchForOutage();
    this.#wake();
  }

  #watchForOutage(): void {
    const since = this.#unreachableSince;
    if (since === null) {
      this.#hasWarnedOfOutage = false;
      this.#outage.clear();
    } else if (!this.#hasWarnedOfOutage && !this.#isDraining) {
      this.#outage.set(since + OUTAGE_MS);
    }
  }

  #warnOfOutage(): void {
    // The link itself has logged a refusal, and that it has given up.
    if (this.#state !== 'offline' && this.#state !== 'connecting') return;
    this.#hasWarnedOfOutage = true;
    const why = this.#link?.lastFailure ?? 'it does not respond';
    this.#log.warn(
      `the control plane has been unreachable for ${formatDuration(OUTAGE_MS)} (${why}); the command keeps running, but can't be seen or stopped until leash reconnects`,
    );
  }

  #guarded(use: (link: Link) => void): void {
    if (this.#link === null) return;
    try {
      use(this.#link);
    } catch (error) {
      // Kills and reading call this: a failure in the link must not stop them.
      this.fail(error);
    }
  }
}

function refusalIn(state: LinkState): Unreported['refusal'] {
  if (state === 'rejected') return 'for_good';
  return state === 'refused' || state === 'given_up' ? 'for_now' : 'none';
}

/** The report that is shown, and whether there is more to report by now: what is read stands still until it is asked to. */
import { batch, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import type { Expectation } from '#protocol/expectations';
import type { Report } from '#protocol/report';
import { isBadEnd } from '#protocol/run-state';
import type { Failure } from '../../api/failure.ts';
import { fetchReport } from '../../api/report.ts';
import { isBroken } from '../../format/expectation-labels.ts';
import { store } from '../../state/store.ts';
import { newerFindings } from './finding-labels.ts';

/** What may be reported is looked up a moment later, and no more often than this. */
const LOOK_AFTER_MS = 3_000;
const LOOK_EVERY_MS = 10_000;

export class ReportFollower {
  readonly #shown = signal<Report | null>(null);
  readonly #newer = signal(0);
  readonly #failure = signal<Failure | null>(null);
  readonly #isBusy = signal(false);
  readonly report: ReadonlySignal<Report | null> = this.#shown;
  /** How many findings are new since. */
  readonly newer: ReadonlySignal<number> = this.#newer;
  readonly failure: ReadonlySignal<Failure | null> = this.#failure;
  readonly isBusy: ReadonlySignal<boolean> = this.#isBusy;
  readonly #since: number;
  #latest: Report | null = null;
  #lookedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(since: number) {
    this.#since = since;
  }

  /** Follows what sockets report. @returns ends that */
  start(): () => void {
    const stop = effect(() => {
      const hasChanged = store.changed.value.some(mayBeReported);
      const isLate = [...store.expectations.value.values()].some((expectation) => this.#isNewlyBroken(expectation));
      if (hasChanged || isLate) this.#lookSoon();
    });
    return () => {
      this.#isStopped = true;
      clearTimeout(this.#timer);
      stop();
    };
  }

  /** Loads it: shown at once if nothing is shown yet, and otherwise offered. */
  readonly load = async (): Promise<void> => {
    this.#isBusy.value = true;
    this.#lookedAt = performance.now();
    const answer = await fetchReport(new Date(this.#since).toISOString());
    if (this.#isStopped) return;
    batch(() => {
      this.#isBusy.value = false;
      this.#failure.value = answer.ok ? null : answer.failure;
      if (!answer.ok) return;
      this.#latest = answer.value;
      const shown = this.#shown.peek();
      if (shown === null) this.#show(answer.value);
      else this.#newer.value = newerFindings(shown, answer.value);
    });
  };

  /** Loads it, and shows it. */
  readonly refresh = async (): Promise<void> => {
    await this.load();
    if (this.#latest !== null && !this.#isStopped) this.#show(this.#latest);
  };

  #isNewlyBroken(expectation: Expectation): boolean {
    const seenUntil = this.#latest === null ? Number.POSITIVE_INFINITY : Date.parse(this.#latest.until);
    return isBroken(expectation) && Date.parse(expectation.since) >= seenUntil;
  }

  #show(report: Report): void {
    batch(() => {
      this.#shown.value = report;
      this.#newer.value = 0;
    });
  }

  #lookSoon(): void {
    if (this.#timer !== undefined) return;
    const waitMs = Math.max(LOOK_AFTER_MS, this.#lookedAt + LOOK_EVERY_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.load();
    }, waitMs);
  }
}

function mayBeReported({ state, final, slow_since, left_running }: Run): boolean {
  if (slow_since !== null || left_running.length > 0) return true;
  return isBadEnd(state) || (final && (state === 'skipped' || state === 'killed'));
}

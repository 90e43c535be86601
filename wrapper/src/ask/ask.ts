/** Asks the run's job object whether the run may start, and waits for the answer. */
import { performance } from 'node:perf_hooks';
import type { Answer } from '#protocol/admission';
import { LongTimer } from '../clock/long-timer.ts';
import { RunningClock } from '../clock/running-clock.ts';
import type { LocalSignals, TerminatingSignal } from '../host/local-signals.ts';
import type { AskOptions } from './ask-options.ts';
import type { AskingLink } from './asking-link.ts';
import { type AskDecision, type AskOutcome, decideAsk } from './patience.ts';

/** What is looked at of the link. */
type AskedLink = Pick<AskingLink, 'answer' | 'kills' | 'isReachable' | 'state' | 'isNotUnderstood' | 'onChange'>;

export type AskResult =
  | AskOutcome
  /** An operator has killed it. */
  | { readonly kind: 'killed' }
  | { readonly kind: 'signaled'; readonly signal: TerminatingSignal };

/**
 * Resolves when the run may start, or is not to. Signals that come later are queued. Never rejects.
 *
 * @param onWait is called with each answer by which the run is to wait
 */
export async function ask(
  link: AskedLink,
  options: AskOptions,
  signals: Pick<LocalSignals, 'onTerminate' | 'queue'>,
  onWait: (answer: Answer) => void,
): Promise<AskResult> {
  const asking = new Asking(link, options, onWait);
  const result = asking.result();
  signals.onTerminate((signal) => asking.end({ kind: 'signaled', signal }));
  return result.finally(() => signals.queue());
}

class Asking {
  readonly #link: AskedLink;
  readonly #options: AskOptions;
  readonly #onWait: (answer: Answer) => void;
  /** For the first answer. */
  readonly #clock = new RunningClock();
  readonly #askedAt = now();
  readonly #timer = new LongTimer(now, () => this.#decide());
  #waitingSince: number | null = null;
  /** Not since the last frame came: after a sleep of the machine, that is long ago, and a new connection takes a moment. */
  #unreachableSince: number | null = null;
  #reported: Answer | null = null;
  #isOver = false;
  #end: (result: AskResult) => void = () => {};

  constructor(link: AskedLink, options: AskOptions, onWait: (answer: Answer) => void) {
    this.#link = link;
    this.#options = options;
    this.#onWait = onWait;
  }

  result(): Promise<AskResult> {
    return new Promise((resolve) => {
      this.#end = resolve;
      // What has come while we were stopped, or waited for a processor, is read before that.
      this.#clock.onTurn = () => setImmediate(() => this.#decide());
      this.#link.onChange = () => this.#decide();
      this.#decide();
    });
  }

  end(result: AskResult): void {
    this.#isOver = true;
    this.#clock.stop();
    this.#timer.clear();
    this.#link.onChange = () => {};
    this.#end(result);
  }

  #decide(): void {
    if (this.#isOver) return;
    const decision: AskDecision | AskResult = this.#link.kills.length > 0 ? { kind: 'killed' } : this.#decision();
    if (decision.kind === 'wait') this.#wait(decision.forMs);
    else this.end(decision);
  }

  #wait(forMs: number): void {
    const { answer } = this.#link;
    // Until the first answer, the clock looks again by itself.
    if (answer === null) return;
    this.#clock.stop();
    this.#timer.set(now() + forMs);
    if (answer === this.#reported) return;
    this.#reported = answer;
    this.#onWait(answer);
  }

  #decision(): AskDecision {
    const { answer, isReachable, state, isNotUnderstood } = this.#link;
    if (answer !== null) this.#waitingSince ??= now();
    this.#unreachableSince = isReachable ? null : (this.#unreachableSince ?? now());
    const situation = {
      answer,
      askedMs: this.#clock.now(),
      askedWallMs: now() - this.#askedAt,
      waitedMs: this.#waitingSince === null ? 0 : now() - this.#waitingSince,
      unreachableMs: this.#unreachableSince === null ? null : now() - this.#unreachableSince,
      link: state,
      isNotUnderstood,
    };
    return decideAsk(situation, this.#options);
  }
}

function now(): number {
  return performance.now();
}

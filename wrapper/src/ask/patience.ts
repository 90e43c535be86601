/**
 * How long a run that asks waits, and for what. Pure.
 *
 * A run that has not been answered yet is not held up by the network for more than its --ask-timeout. Only the time in which
 * this process could work counts (clock/running-clock.ts): on a very busy machine, a control plane that answers must not
 * look slow. There is a bound in wall-clock time, too. One that was told to wait is patient: a deploy of the control plane
 * must not start it at once.
 */
import type { Answer } from '#protocol/admission';
import type { SkipReason } from '#protocol/run-state';
import type { LinkState } from '../link/link.ts';
import type { AskOptions } from './ask-options.ts';

/** How long the control plane may be out of reach while a run waits: a deploy or a restart takes seconds. */
export const OUT_OF_REACH_MS = 2 * 60_000;

/** How many times its --ask-timeout a run waits at most, however busy the machine is. */
const LONGEST_SHARE = 4;

export interface AskSituation {
  /** The newest answer; null: none has come yet. */
  readonly answer: Answer | null;
  /** For how long the first answer has been waited for, as far as that counts. */
  readonly askedMs: number;
  /** The same in wall-clock time. */
  readonly askedWallMs: number;
  /** For how long the run has been told to wait; 0 before that. */
  readonly waitedMs: number;
  /** For how long the control plane has been known to be out of reach; null while it is not. */
  readonly unreachableMs: number | null;
  readonly link: LinkState;
  /** Whether the control plane has said that it doesn't know the question: it is older than this program. */
  readonly isNotUnderstood: boolean;
}

export type AskOutcome =
  | { readonly kind: 'start'; readonly fence: number | null }
  | { readonly kind: 'skip'; readonly reason: SkipReason; readonly answer: Answer; readonly isTimeUp: boolean }
  /** The control plane could not be asked. */
  | { readonly kind: 'unreachable' };

export type AskDecision =
  | AskOutcome
  /** Decide again when something has changed, at the latest in so many ms. */
  | { readonly kind: 'wait'; readonly forMs: number };

const UNREACHABLE: AskDecision = { kind: 'unreachable' };

export function decideAsk(situation: AskSituation, options: AskOptions): AskDecision {
  const { answer } = situation;
  switch (answer?.decision) {
    case undefined:
      return whileUnanswered(situation, options);
    case 'start':
      return { kind: 'start', fence: answer.fence };
    case 'skip':
      return { kind: 'skip', reason: answer.reason ?? 'overlap', answer, isTimeUp: false };
    case 'wait':
      return whileToldToWait(situation, answer, options);
  }
}

function whileUnanswered(
  { askedMs, askedWallMs, link, isNotUnderstood }: AskSituation,
  { timeoutMs }: AskOptions,
): AskDecision {
  if (isNotUnderstood || isRefused(link)) return UNREACHABLE;
  const limitMs = timeoutMs ?? Number.POSITIVE_INFINITY;
  const leftMs = Math.min(limitMs - askedMs, limitMs * LONGEST_SHARE - askedWallMs);
  return leftMs <= 0 ? UNREACHABLE : { kind: 'wait', forMs: leftMs };
}

function whileToldToWait(
  { waitedMs, unreachableMs, link }: AskSituation,
  answer: Answer,
  { waitTimeoutMs }: AskOptions,
): AskDecision {
  const leftMs = (waitTimeoutMs ?? Number.POSITIVE_INFINITY) - waitedMs;
  if (leftMs <= 0) return { kind: 'skip', reason: answer.reason ?? 'overlap', answer, isTimeUp: true };
  const reachMs = unreachableMs === null ? Number.POSITIVE_INFINITY : OUT_OF_REACH_MS - unreachableMs;
  if (reachMs <= 0 || isGivenUp(link)) return UNREACHABLE;
  return { kind: 'wait', forMs: Math.min(leftMs, reachMs) };
}

/** A refusal is a person's mistake, and takes a person's time to fix. */
function isRefused(link: LinkState): boolean {
  return link === 'refused' || isGivenUp(link);
}

/** Nothing connects any more. */
function isGivenUp(link: LinkState): boolean {
  return link === 'rejected' || link === 'given_up';
}

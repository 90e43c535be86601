/** When a group of occurrences becomes a message. Pure. */

/** How long after the last message of a rule the next one is sent, if they follow each other closely. */
const INTERVALS_MS = [0, 60_000, 5 * 60_000, 15 * 60_000] as const;

/** A rule that was quiet for this long reports at once again. */
export const QUIET_MS = 15 * 60_000;

/** A job of which the rule has reported nothing for this long is news. */
export const NEWS_MS = 30 * 60_000;

/** A group that does not end is closed after this many times `groupMs`. */
const MAX_GROUP_TIMES = 6;

/** What a rule has sent so far. */
export interface RuleHistory {
  /** When its last group was closed; null: it has sent nothing. */
  readonly lastClosedAt: number | null;
  /** How many groups followed each other closely. */
  readonly streak: number;
}

/** A group that collects occurrences. */
export interface OpenGroup {
  readonly openedAt: number;
  /** When its last occurrence arrived. */
  readonly lastAt: number;
  /** Whether it is about a job of which the rule has reported nothing lately. */
  readonly hasNews: boolean;
}

/**
 * When a group is closed and sent: a moment after its last occurrence, so that a storm is one message. A rule that keeps
 * firing waits longer each time, so that a job that fails every minute doesn't send every minute; but a job of which it has
 * reported nothing lately waits a minute at most.
 */
export function closesAt(group: OpenGroup, history: RuleHistory, groupMs: number): number {
  const isComplete = Math.min(group.lastAt + groupMs, group.openedAt + MAX_GROUP_TIMES * groupMs);
  if (history.lastClosedAt === null) return isComplete;
  const interval = intervalOf(streakOf(group, history));
  const heldMs = group.hasNews ? Math.min(interval, INTERVALS_MS[1]) : interval;
  return Math.max(isComplete, history.lastClosedAt + heldMs);
}

/** A rule's history after a group was closed. */
export function afterClosing(group: OpenGroup, history: RuleHistory, closedAt: number): RuleHistory {
  return { lastClosedAt: closedAt, streak: streakOf(group, history) + 1 };
}

function streakOf({ openedAt }: OpenGroup, { lastClosedAt, streak }: RuleHistory): number {
  return lastClosedAt === null || openedAt - lastClosedAt >= QUIET_MS ? 0 : streak;
}

function intervalOf(streak: number): number {
  return INTERVALS_MS[Math.min(streak, INTERVALS_MS.length - 1)] ?? 0;
}

/** Asking before the start: whether a run may start beside the runs that there are. */
import * as v from 'valibot';
import { MachineName, RunId } from './names.ts';
import { SkipReason } from './run-state.ts';

/**
 * What becomes of a run that would overlap with another.
 *
 * - `allow`: both run
 * - `skip`: it does not start
 * - `wait`: it starts when the other has ended
 * - `kill-old`: the other is killed, then it starts
 */
export const OVERLAPS = ['allow', 'skip', 'wait', 'kill-old'] as const;
export const Overlap = v.picklist(OVERLAPS);
export type Overlap = v.InferOutput<typeof Overlap>;

/** Which runs are in the way: those of the job on the same machine, or on all machines. */
export const OVERLAP_SCOPES = ['machine', 'job'] as const;
export const OverlapScope = v.picklist(OVERLAP_SCOPES);
export type OverlapScope = v.InferOutput<typeof OverlapScope>;

export const Question = v.object({
  overlap: Overlap,
  scope: OverlapScope,
  /** The exit code of `leash run` when it is told not to start. */
  skip_exit_code: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))),
});
export type Question = v.InferOutput<typeof Question>;

/** A run that is in another's way. */
export const BlockingRun = v.object({
  run: RunId,
  machine: MachineName,
  /** RFC 3339. */
  started_at: v.string(),
});
export type BlockingRun = v.InferOutput<typeof BlockingRun>;

/** How many of them an answer names. */
export const MAX_BLOCKING_RUNS = 10;

const Fence = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** What the object says to a run that has asked. */
export const Answer = v.object({
  type: v.literal('answer'),
  decision: v.picklist(['start', 'wait', 'skip']),
  /** Why it is not to start; null: it is. A reason that only a newer version knows must not void the answer. */
  reason: v.fallback(v.optional(v.nullable(SkipReason), null), null),
  /** The order of an operator that stands in the way, in words; null: none does. */
  detail: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(1024))), null),
  blocked_by: v.optional(v.pipe(v.array(BlockingRun), v.maxLength(MAX_BLOCKING_RUNS)), []),
  /** With `start`: rises with each run of the job that is told to start. */
  fence: v.optional(v.nullable(Fence), null),
});
export type Answer = v.InferOutput<typeof Answer>;

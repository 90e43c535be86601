/**
 * For how long it has been tried in vain to send what a run left. Kept in the run's directory, and counted by the
 * machine's monotonic clock: neither a clock that was set, nor a time in which the machine was off, makes a run old.
 */
import * as v from 'valibot';
import { bootId } from '../processes/process-ref.ts';

const VERSION = 1;

export const Attempts = v.object({
  version: v.literal(VERSION),
  /** How long it has been tried. */
  tried_ms: v.pipe(v.number(), v.finite(), v.minValue(0)),
  /** The last attempt: in which boot of the machine, and when by its monotonic clock. */
  boot_id: v.string(),
  at_ms: v.pipe(v.number(), v.finite()),
});
export type Attempts = v.InferOutput<typeof Attempts>;

export interface Moment {
  readonly bootId: string;
  readonly monotonicMs: number;
}

/** Between two attempts that lie further apart, nobody tried. */
const LONGEST_STEP_MS = 24 * 60 * 60 * 1_000;

/** @param before null: this was the first */
export function countAttempt(before: Attempts | null, { bootId: boot_id, monotonicMs: at_ms }: Moment): Attempts {
  const sinceMs = before?.boot_id === boot_id ? Math.max(0, at_ms - before.at_ms) : 0;
  return { version: VERSION, tried_ms: (before?.tried_ms ?? 0) + Math.min(sinceMs, LONGEST_STEP_MS), boot_id, at_ms };
}

/** Of this machine, the same for all its processes. */
export function momentNow(): Moment {
  return { bootId: bootId(), monotonicMs: Number(process.hrtime.bigint() / 1_000_000n) };
}

/** What a run's processes take while it is live. Pure. */
import type { Usage } from '#protocol/usage';

export interface LiveUsage {
  readonly usage: Usage;
  /** When it arrived here, by a clock that only goes forward. */
  readonly at: number;
  /** The share of one core that they have used since the report before; null while that isn't known. */
  readonly cores: number | null;
}

/** Reports that arrive together after an interruption say nothing of the time between them. */
const LEAST_APART_MS = 1_000;
/** A longer time is not now. */
const MOST_APART_MS = 15_000;

export function nextUsage(before: LiveUsage | null, usage: Usage, at: number): LiveUsage {
  if (before === null || before.usage.cpu_ms === null || usage.cpu_ms === null) return { usage, at, cores: null };
  const apartMs = at - before.at;
  if (apartMs < LEAST_APART_MS) return { ...before, usage: { ...usage, cpu_ms: before.usage.cpu_ms } };
  if (apartMs > MOST_APART_MS) return { usage, at, cores: null };
  return { usage, at, cores: Math.max(0, usage.cpu_ms - before.usage.cpu_ms) / apartMs };
}

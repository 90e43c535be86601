/** What a job's runs are usually like, and what could be expected of it. Pure. */
import type { Expected, Habits } from '#protocol/expectations';
import { formatDuration } from '#shared/format-duration';

const HOUR_MS = 3_600_000;

/** Such as `usually every 15m, 40s to 2m`; null without a pattern. */
export function usualText(usual: Habits | null): string | null {
  if (usual === null) return null;
  const parts = [
    usual.every_ms === null ? null : `every ${formatDuration(usual.every_ms)}`,
    usual.duration_ms === null
      ? null
      : `${formatDuration(usual.duration_ms.low)} to ${formatDuration(usual.duration_ms.high)}`,
  ].filter((part) => part !== null);
  return `usually ${parts.join(', ')}`;
}

/** What could be expected of a job that usually is like this; null if too little is known. */
export function suggestion({ every_ms, duration_ms }: Habits): Expected | null {
  if (every_ms === null) return null;
  return {
    every_ms,
    schedule: null,
    time_zone: null,
    // A job of a certain hour comes an hour later when the clock is put back.
    late_after_ms: every_ms >= 12 * HOUR_MS ? 2 * HOUR_MS : null,
    slow_after_ms: duration_ms === null ? null : slowAfter(duration_ms.high),
  };
}

/** Three times what most take, and at least a minute more, in whole minutes. */
function slowAfter(highMs: number): number {
  return Math.ceil(Math.max(highMs * 3, highMs + 60_000) / 60_000) * 60_000;
}

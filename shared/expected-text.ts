import type { Expected } from '#protocol/expectations';
import { formatDuration } from './format-duration.ts';

/** When runs are expected, such as `every 15m` or `at 0 3 * * * (UTC)`; null if they may start at any time. */
export function scheduleText({ every_ms, schedule, time_zone }: Expected): string | null {
  if (schedule !== null) return `at ${schedule} (${time_zone ?? 'UTC'})`;
  return every_ms === null ? null : `every ${formatDuration(every_ms)}`;
}

/** What is expected of a job, in words, such as `every 15m, slow after 2m`. */
export function expectedText(expected: Expected): string {
  const { late_after_ms, slow_after_ms } = expected;
  const parts = [
    scheduleText(expected),
    late_after_ms === null ? null : `late after ${formatDuration(late_after_ms)}`,
    slow_after_ms === null ? null : `slow after ${formatDuration(slow_after_ms)}`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? 'nothing: runs may start at any time' : parts.join(', ');
}

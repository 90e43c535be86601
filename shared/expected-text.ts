import type { Expected } from '#protocol/expectations';
import { formatDuration } from './format-duration.ts';

/** What is expected of a job, in words, such as `every 15m, slow after 2m`. */
export function expectedText({ every_ms, schedule, time_zone, late_after_ms, slow_after_ms }: Expected): string {
  const parts = [
    every_ms === null ? null : `every ${formatDuration(every_ms)}`,
    schedule === null ? null : `at ${schedule} (${time_zone ?? 'UTC'})`,
    late_after_ms === null ? null : `late after ${formatDuration(late_after_ms)}`,
    slow_after_ms === null ? null : `slow after ${formatDuration(slow_after_ms)}`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? 'nothing: runs may start at any time' : parts.join(', ');
}

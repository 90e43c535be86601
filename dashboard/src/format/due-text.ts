/** When a job is due, and whether it came. Pure. */
import type { Expectation } from '#protocol/expectations';
import { formatDuration } from '#shared/format-duration';

/** `every 15m`, `0 3 * * * (Europe/Berlin)`. Empty: runs may start at any time. */
export function scheduleText({ every_ms, schedule, time_zone }: Expectation): string {
  if (schedule !== null) return time_zone === null ? schedule : `${schedule} (${time_zone})`;
  return every_ms === null ? '' : `every ${formatDuration(every_ms)}`;
}

/** This machine's clock, compared with the control plane's. */
import { formatDuration } from '#shared/format-duration';
import { type Finding, note, ok, warning } from '../finding.ts';

/** `Date` has whole seconds, and the response takes a moment. */
const TOLERATED_MS = 5_000;

/** When a response said that it was made, and when its request was sent and its head arrived by our clock. */
export interface DatedResponse {
  readonly date: string | null;
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

export function judgeClock(response: DatedResponse | null): Finding {
  const offsetMs = response === null ? null : clockOffsetMs(response);
  if (offsetMs === null) return note('clock', 'not compared: the control plane did not say what time it is');
  if (Math.abs(offsetMs) <= TOLERATED_MS) return ok('clock', 'agrees with the control plane’s');
  const by = formatDuration(Math.abs(offsetMs));
  return warning(
    'clock',
    `this machine’s clock is ${by} ${offsetMs > 0 ? 'ahead of' : 'behind'} the control plane’s. ` +
      'Runs are timed without it, but cron fires at the wrong time, logs disagree, and certificates may seem invalid',
    'Let the machine set its clock: timedatectl set-ntp true (or install chrony).',
  );
}

/** Positive when our clock is ahead. Null when the response has no valid date. */
function clockOffsetMs({ date, sentAtMs, receivedAtMs }: DatedResponse): number | null {
  const theirMs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirMs)) return null;
  // Whatever lies within the second that the date names, and within the call, is no difference.
  if (receivedAtMs < theirMs) return receivedAtMs - theirMs;
  return Math.max(0, sentAtMs - (theirMs + 1_000));
}

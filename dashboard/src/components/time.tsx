/** Times as people read them; the exact one is a hover away and in the markup. */

import { formatDuration } from '#shared/format-duration';
import { agoText, elapsedText, roughlyAgoText } from '../format/quantity.ts';
import { CLOCK, exactTimeText, timeFormat } from '../format/time-format.ts';
import { now } from '../state/clock.ts';

const TODAY = timeFormat(CLOCK);
const THIS_YEAR = timeFormat({ weekday: 'short', day: 'numeric', month: 'short', ...CLOCK });
const ANY_YEAR = timeFormat({ day: 'numeric', month: 'short', year: 'numeric', ...CLOCK });

export function Ago({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={exactText(at)}>
      {agoText(now.value - Date.parse(at))}
    </time>
  );
}

/** For a time that is recorded at most once per `everyMs`. */
export function RoughlyAgo({ at, everyMs }: { readonly at: string; readonly everyMs: number }) {
  return (
    <time dateTime={at} title={exactText(at)}>
      {roughlyAgoText(now.value - Date.parse(at), everyMs)}
    </time>
  );
}

/** The time of day, with the day when it is another one, and with the year when that is. */
export function Clock({ at }: { readonly at: string }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={exactText(at)}>
      {clockFormat(date, new Date(now.value)).format(date)}
    </time>
  );
}

function clockFormat(date: Date, today: Date): Intl.DateTimeFormat {
  if (date.toDateString() === today.toDateString()) return TODAY;
  return date.getFullYear() === today.getFullYear() ? THIS_YEAR : ANY_YEAR;
}

/** How long from one time to another, or until now. */
export function Duration({ from, to }: { readonly from: string; readonly to: string | null }) {
  const start = Date.parse(from);
  const text = to === null ? elapsedText(now.value - start) : formatDuration(Date.parse(to) - start);
  return <span class="duration">{text}</span>;
}

function exactText(at: string): string {
  return `${exactTimeText(new Date(at))} (${at})`;
}

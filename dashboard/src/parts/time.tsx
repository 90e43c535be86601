/** Times as people read them; the exact one is a hover away and in the markup. */
import { now } from '../state/clock.ts';
import { agoText, durationText } from './quantity.ts';

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

export function Ago({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={exactText(at)}>
      {agoText(now.value - Date.parse(at))}
    </time>
  );
}

/** The time of day, with the day when it was another one. */
export function Clock({ at }: { readonly at: string }) {
  const date = new Date(at);
  const today = new Date(now.value).toDateString() === date.toDateString();
  return (
    <time dateTime={at} title={exactText(at)}>
      {(today ? CLOCK : DAY_AND_CLOCK).format(date)}
    </time>
  );
}

/** How long from one time to another, or until now. */
export function Duration({ from, to }: { readonly from: string; readonly to: string | null }) {
  const end = to === null ? now.value : Date.parse(to);
  return <span class="duration">{durationText(end - Date.parse(from))}</span>;
}

function exactText(at: string): string {
  return `${EXACT.format(new Date(at))} (${at})`;
}

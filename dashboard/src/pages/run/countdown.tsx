import { formatDuration } from '#shared/format-duration';
import { now } from '../../state/clock.ts';

/** When the machine will do it by itself. Once the time is up it may have done so: the event will tell. */
export function Countdown({ endsAt }: { readonly endsAt: number }) {
  const wholeMs = Math.ceil((endsAt - now.value) / 1000) * 1000;
  return <span class="countdown">{wholeMs > 0 ? `in ${formatDuration(wholeMs)}` : 'due now'}</span>;
}

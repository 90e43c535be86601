import { formatDuration } from '#shared/format-duration';
import { now } from '../../state/clock.ts';

/** The time until the machine acts by itself. After that only its event shows whether it has. */
export function Countdown({ endsAt }: { readonly endsAt: number }) {
  const wholeMs = Math.ceil((endsAt - now.value) / 1000) * 1000;
  return <span class="countdown">{wholeMs > 0 ? `in ${formatDuration(wholeMs)}` : 'due now'}</span>;
}

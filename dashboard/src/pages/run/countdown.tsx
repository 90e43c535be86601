import { now } from '../../state/clock.ts';

/** What the machine will do by itself, and when. Once the time is up it may have done so: the event will tell. */
export function Countdown({ endsAt }: { readonly endsAt: number }) {
  const seconds = Math.ceil((endsAt - now.value) / 1000);
  return <>{seconds > 0 ? `SIGKILL in ${seconds}s` : 'SIGKILL is due'}</>;
}

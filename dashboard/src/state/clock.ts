/** The time as the control plane has it, to the second: times on the page are the server's, and durations must fit them. */
import { signal } from '@preact/signals';
import { ANY_OFFSET, narrowOffset, offsetWithin } from './clock-offset.ts';

let offset = ANY_OFFSET;

const tick = signal(serverNow());

/** Milliseconds since 1970; whoever reads it is drawn again every second. */
export const now = tick;

export function serverNow(): number {
  return Date.now() + offsetWithin(offset);
}

export function clockAnswered(sentAt: number, receivedAt: number, dateHeader: string | null): void {
  const date = dateHeader === null ? Number.NaN : Date.parse(dateHeader);
  if (Number.isNaN(date)) return;
  offset = narrowOffset(offset, { sentAt, receivedAt, date });
}

/** Starts the ticking, which pauses while the tab is hidden. */
export function startClock(): void {
  const update = () => {
    if (document.visibilityState === 'visible') tick.value = serverNow();
  };
  setInterval(update, 1000);
  document.addEventListener('visibilitychange', update);
}

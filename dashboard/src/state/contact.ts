/** Since when a run has been out of touch, from what happened to it. */
import type { Run, RunEvent } from '#protocol/api';
import { isLive } from '#protocol/run-state';

/** Null while it is in touch, or when nobody can tell since when. */
export function outOfTouchSince(run: Run, events: readonly RunEvent[]): string | null {
  if (run.connected || !(isLive(run.state) || run.state === 'lost')) return null;
  let silentSince: string | null = null;
  for (const event of events.toReversed()) {
    if (event.type === 'connected' || event.type === 'returned') break;
    if (event.type === 'disconnected') return event.at;
    // Told late: the silence began before it was noticed.
    if (event.type === 'suspected' || event.type === 'lost') {
      silentSince ??= new Date(Date.parse(event.at) - event.silent_ms).toISOString();
    }
  }
  return silentSince;
}

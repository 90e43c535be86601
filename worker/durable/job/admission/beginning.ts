/** When a run that asked before its start has started its command. Pure. */
import type { NewRunEvent } from '#protocol/api';
import type { Start } from '#protocol/wrapper-link';
import type { RunRecord } from '../run-store.ts';

/** Whether a wrapper that sends its first `start` has not started its command: it asks, or was told not to. */
export function hasNotBegun({ phase, pid, question }: Pick<Start, 'phase' | 'pid' | 'question'>): boolean {
  return phase === 'waiting' || (phase === 'ended' && pid === null && question !== undefined);
}

/**
 * What a `start` adds to a run that had only asked: that its command was started since, and when.
 *
 * @returns null if it says nothing of that kind
 */
export function beginning(known: RunRecord, { phase, pid, age_ms }: Start, now: number) {
  const isNew = known.question !== null && known.pid === null && phase !== 'waiting';
  const hasBegun = pid !== null || (phase === 'running' && known.state === 'waiting');
  if (!isNew || !hasBegun) return null;
  const startedAt = Math.max(known.askedAt ?? known.startedAt, now - age_ms);
  const started: NewRunEvent = {
    type: 'started',
    at: new Date(startedAt).toISOString(),
    machine: known.machine,
    pid,
  };
  return { changes: { startedAt, pid }, event: started };
}

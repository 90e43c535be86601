/** The progress of kills in words. Pure. */
import type { Target } from '#protocol/api';
import { formatDuration } from '#shared/format-duration';
import { outcomeOf, type Step, type TargetProgress } from './progress.ts';

/** One step, for a line of its own. */
export function stepText({ name, target }: Pick<Step, 'name' | 'target'>): string {
  switch (name) {
    case 'waiting':
      return 'disconnected; gets the kill when it reconnects';
    case 'sent':
      return 'sent to the machine';
    case 'signal':
      return `${target.signal ?? 'signal'} sent to all processes`;
    case 'sigkill':
      return 'SIGKILL sent to the remaining processes';
    case 'end':
      return endText(target);
  }
}

/** What a target has ended with. */
export function endText(target: TargetProgress): string {
  switch (outcomeOf(target)) {
    case 'gone':
      return `all processes exited${relatedText(target)}`;
    case 'survived':
      return `NOT ENDED: ${survivorsText(target)}${relatedText(target)}`;
    case 'refused':
      return 'had already ended';
    case 'lost':
      return 'contact lost; it may still run, and gets the kill if it reconnects';
    case 'open':
      return '';
  }
}

/** `pid 7 and 8`; `pid 7 and others with unknown pids`. */
export function survivorsText({ survivors, unnamed_survivors }: Target): string {
  if (survivors.length === 0) return 'something still runs, with unknown pids';
  const others = unnamed_survivors ? ' and others with unknown pids' : '';
  const verb = survivors.length === 1 && !unnamed_survivors ? 'survives' : 'survive';
  return `pid ${survivors.join(', ')}${others} ${verb}`;
}

/** What the kill left alone. */
export function relatedText({ related_count }: Target): string {
  if (related_count === 0) return '';
  return `; ${related_count} related ${related_count === 1 ? 'process' : 'processes'} not killed`;
}

/** What is being waited for. */
export function waitingText(target: TargetProgress, elapsedMs: number, graceMs: number | null): string {
  const { state, times, signal } = target;
  switch (state) {
    case 'pending':
      return 'disconnected; waiting for it';
    case 'sent':
      return 'waiting for its answer';
    case 'delivered':
      return 'delivered';
    case 'term': {
      const isLast = signal === 'SIGKILL' || graceMs === null || times.signal === null;
      const leftMs = isLast ? 0 : times.signal + graceMs - elapsedMs;
      return leftMs <= 0
        ? 'waiting for its processes'
        : `SIGKILL in ${formatDuration(Math.ceil(leftMs / 1_000) * 1_000)}`;
    }
    case 'kill':
      return 'waiting for its processes';
    case 'gone':
    case 'refused':
    case 'lost':
      return '';
  }
}

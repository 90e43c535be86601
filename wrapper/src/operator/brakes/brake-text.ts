/** Brakes and maintenance in words. Pure. */
import { type Brake, scopeText } from '#protocol/brakes';
import { exactTime } from '../relative-time.ts';

/** `Brake on sync-*`, `Maintenance of all jobs on web-1`. */
export function brakeTitle(brake: Pick<Brake, 'jobs' | 'machines' | 'kill'>): string {
  return `${brake.kill ? 'Brake on' : 'Maintenance of'} ${scopeText(brake)}`;
}

/** `Brake on sync-* until 2026-12-01 03:00:00Z (in 2h): bad data`. */
export function brakeLine(brake: Brake, nowMs: number): string {
  const reason = brake.reason === null ? '' : `: ${brake.reason}`;
  return `${brakeTitle(brake)} until ${exactTime(brake.until, nowMs)}${reason}`;
}

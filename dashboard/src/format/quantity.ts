/** Amounts of time and of things, as people read them. */
import { formatDuration } from '#shared/format-duration';

/** A duration that is still growing: whole seconds, as its tenths would say nothing. */
export function elapsedText(ms: number): string {
  return formatDuration(Math.floor(ms / 1000) * 1000);
}

/** How long ago, in one unit. */
export function agoText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds}s ago`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}h ago`;
  return `${Math.floor(hours / 24)}d ago`;
}

/**
 * How long ago at most, of a time that is noted no more often than every so often: what was last may have been so much
 * later.
 */
export function roughlyAgoText(ms: number, everyMs: number): string {
  const minutes = Math.round(everyMs / 60_000);
  if (ms < everyMs) return `in the last ${minutes} minutes`;
  return ms < 60 * 60_000 ? `about ${agoText(ms)}` : agoText(ms);
}

/** `1 run`, `12 runs`. */
export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

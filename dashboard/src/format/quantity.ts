/** Amounts of bytes and of time, as people read them. */

export function bytesText(bytes: number): string {
  if (bytes === 1) return '1 byte';
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let amount = bytes / 1024;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount < 100 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}

/** Two units at most: nobody needs the seconds of a day. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
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
  return ms < 60 * 60_000 ? `some ${agoText(ms)}` : agoText(ms);
}

/** `1 run`, `12 runs`. */
export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function two(amount: number): string {
  return String(amount).padStart(2, '0');
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A duration for people: `340ms`, `1.5s`, `42s`, `1m 05s`, `2h`, `3d 04h`. Two units at most, and never more than has
 * passed.
 */
export function formatDuration(ms: number): string {
  if (ms < 1) return '0s';
  if (ms < SECOND) return `${Math.floor(ms)}ms`;
  if (ms < 10 * SECOND) return `${Math.floor(ms / 100) / 10}s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return inUnits(ms, MINUTE, 'm', SECOND, 's');
  if (ms < DAY) return inUnits(ms, HOUR, 'h', MINUTE, 'm');
  return inUnits(ms, DAY, 'd', HOUR, 'h');
}

function inUnits(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${Math.floor(ms / large)}${largeName}`;
  return rest === 0 ? whole : `${whole} ${String(rest).padStart(2, '0')}${smallName}`;
}

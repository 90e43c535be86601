/** Durations as people write them, on a command line or in a form. */

const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;
const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads `90`, `90s`, `5m`, `2h`, `1d` or `500ms`; a bare number is seconds.
 *
 * @returns milliseconds, whole; null when `text` isn't a duration
 */
export function parseDuration(text: string): number | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const unitMs = UNIT_MS[match[2] ?? 's'];
  if (unitMs === undefined) return null;
  const ms = Math.ceil(Number(match[1]) * unitMs);
  return Number.isSafeInteger(ms) ? ms : null;
}

/** Places in a log as a reader goes to them. */
import type { Gap } from '../../api/calls.ts';

/** Of the whole log, with an arrow key; ten times as far with Page Up and Page Down. */
const STEP_SHARE = 0.01;

/** Where a key of a slider leads to: as everywhere, up and to the right is more. Null for any other key. */
export function keyStep(
  { key, ctrlKey, metaKey, altKey }: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>,
  from: number,
  total: number,
  gaps: readonly Gap[],
): number | null {
  if (ctrlKey || metaKey || altKey) return null;
  const step = Math.max(1, total * STEP_SHARE);
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: -step,
    ArrowDown: -step,
    ArrowRight: step,
    ArrowUp: step,
    PageDown: -10 * step,
    PageUp: 10 * step,
    Home: -total,
    End: total,
  };
  const by = steps[key];
  if (by === undefined) return null;
  const to = Math.round(Math.min(total, Math.max(0, from + by)));
  // A gap is one place: the next one is behind it.
  return by > 0 ? (gaps.find((gap) => holds(gap, from) && holds(gap, to))?.end ?? to) : to;
}

/** Where to begin to see what is at the offset: in a gap, at its start, so that the whole gap is shown. */
export function beginningOf(offset: number, gaps: readonly Gap[]): number {
  return gaps.find((gap) => holds(gap, offset))?.start ?? offset;
}

/**
 * Where the log is opened for that: a byte before. A log that is opened in the middle begins with the first line of which
 * the beginning is known, and of a line that begins at the offset that is told by the byte before.
 */
export function openingFor(offset: number, gaps: readonly Gap[]): number {
  return offset === 0 || gaps.some((gap) => holds(gap, offset) || gap.end === offset) ? offset : offset - 1;
}

function holds({ start, end }: Gap, offset: number): boolean {
  return start <= offset && offset < end;
}

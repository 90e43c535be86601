/** Offsets in the output that a reader can go to. */
import type { Gap } from '../../api/calls.ts';

/** How much of the output an arrow key moves; Page Up and Page Down move ten times as far. */
const STEP_SHARE = 0.01;

/** The offset that a slider's key leads to: up and right mean more. Null for any other key. */
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
  // A step from inside a gap must leave it.
  return by > 0 ? (gaps.find((gap) => holds(gap, from) && holds(gap, to))?.end ?? to) : to;
}

/** Where to begin in order to show the offset: in a gap, at its start, so that the whole gap is shown. */
export function beginningOf(offset: number, gaps: readonly Gap[]): number {
  return gaps.find((gap) => holds(gap, offset))?.start ?? offset;
}

/**
 * Where to open the output for that: one byte earlier. Output that is opened in the middle begins with the first line
 * whose start is known, and only the byte before the offset shows that a line begins there.
 */
export function openingFor(offset: number, gaps: readonly Gap[]): number {
  return offset === 0 || gaps.some((gap) => holds(gap, offset) || gap.end === offset) ? offset : offset - 1;
}

function holds({ start, end }: Gap, offset: number): boolean {
  return start <= offset && offset < end;
}

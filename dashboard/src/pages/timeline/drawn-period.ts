/** How much of a lane is drawn at once, and where in the drawing: so that moving draws as little as can be. Pure. */
import type { Period } from './view.ts';

/** A quarter more on either side, and no other while it is moved within that: moving draws nothing anew. */
export function drawnAround({ from, to }: Period): Period {
  const quarter = (to - from) / 4;
  const start = (Math.floor(from / quarter) - 1) * quarter;
  return { from: start, to: start + 7 * quarter };
}

/** The edges of the drawing. Far away, so that what is drawn stays where it is when more is drawn. */
export function fieldAround({ from, to }: Period): Period {
  const far = (to - from) * 64;
  const start = (Math.floor(from / far) - 1) * far;
  return { from: start, to: start + 3 * far };
}

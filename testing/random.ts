/** A random generator with a seed, so that a run can be repeated. */
export interface Random {
  /** From [0, 1). */
  next(): number;
  /** Whole, from [0, below). */
  below(below: number): number;
  /** True with this probability in percent. */
  percent(percent: number): boolean;
}

/** The generator mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (below) => Math.floor(next() * below),
    percent: (percent) => next() * 100 < percent,
  };
}

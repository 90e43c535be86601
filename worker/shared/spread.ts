/** A pause, in whole milliseconds, of at most `ms` and at least half of that, so that those who failed together do not come back together. */
export function spread(ms: number): number {
  return Math.ceil(ms * (0.5 + Math.random() / 2));
}

/** A pause of at least half of `ms` and at most all of it, whole, so that those who failed together don't retry together. */
export function withJitter(ms: number): number {
  return Math.ceil(ms * (0.5 + Math.random() / 2));
}

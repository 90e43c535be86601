/** Tests of which each run of `npm test` has a different half; the proof has all. */
import { test } from 'vitest';
import { IS_PROOF, SEED } from '#testing/seed';

/** Declares a test that starts several programs, one of many that look at one thing from different sides. */
export function sampledTest(name: string, run: () => Promise<void> | void): void {
  test.runIf(IS_PROOF || isInSample(name))(name, run);
}

/** Chosen by name and seed, so that a seed repeats the choice. */
function isInSample(name: string): boolean {
  let sum = SEED % 1_000_003;
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % 1_000_003;
  return sum % 2 === 0;
}

/**
 * The seed of all that is random in a run of the tests. Each run has a fresh one, which vitest.config.ts chooses and the
 * summary shows when something fails. LEASH_TEST_SEED repeats a run.
 */
export const SEED = Number(process.env.LEASH_TEST_SEED);
if (!Number.isSafeInteger(SEED)) throw new Error('LEASH_TEST_SEED must be a whole number');

/** Whether this is `npm run test:proof`, which tries as much as it has time for; `npm test` tries a sample. */
export const IS_PROOF = process.env.LEASH_TEST_PROOF === '1';

/**
 * How often a property is tried, and with which seed: the parameters for fast-check's `assert`.
 *
 * @param sample how often in `npm test`
 * @param proof how often in one round of `npm run test:proof`
 */
export function trials(sample: number, proof: number): { seed: number; numRuns: number } {
  return { seed: SEED, numRuns: IS_PROOF ? proof : sample };
}

/** All of these cases in the proof; in `npm test` some of them, others each time. */
export function sampleOf<Case>(cases: readonly Case[], count = 1): readonly Case[] {
  const first = SEED % cases.length;
  return IS_PROOF ? cases : [...cases.slice(first), ...cases.slice(0, first)].slice(0, count);
}

/**
 * How long tests wait for what must happen.
 *
 * These are safety nets, minutes long, that end a hang; they aren't expectations: a machine may be slow, or busy with
 * something else. LEASH_TEST_PATIENCE multiplies them, for a machine that is slower still, or for less patience while something
 * is broken on purpose (`LEASH_TEST_PATIENCE=0.1`).
 */
const patience = Number(process.env.LEASH_TEST_PATIENCE ?? 1);
if (!(patience > 0)) throw new Error('LEASH_TEST_PATIENCE must be a number greater than 0');

/** For one thing to happen. */
export const WAIT_LIMIT_MS = 120_000 * patience;
/** In the proof a test has thousands of trials: what hangs is found by a wait within it. */
const waitsPerTest = process.env.LEASH_TEST_PROOF === '1' ? 10 : 2.5;
/** For a whole test or a hook: longer, so that a wait fails first and says what it waited for. */
export const TEST_LIMIT_MS = waitsPerTest * WAIT_LIMIT_MS;

/** For vitest's own `vi.waitFor`, whose default is one second. */
export const WAIT = { timeout: WAIT_LIMIT_MS };

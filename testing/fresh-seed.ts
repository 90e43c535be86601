/** For the configurations of vitest: every process of a run reads the seed from the environment (testing/seed.ts). */
import { randomInt } from 'node:crypto';

process.env.LEASH_TEST_SEED ??= String(randomInt(2 ** 31));

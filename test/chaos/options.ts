/** What `npm run test:proof -- chaos` takes on its command line. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../../scripts/local/paths.ts';

const USAGE = 'usage: npm run test:proof -- chaos [--seeds N] [--seed FIRST] [--keep DIRECTORY]';

export interface ChaosOptions {
  /** How many. */
  readonly seeds: number;
  /** The first; each of the others is the next number. */
  readonly seed: number;
  /** Where what is to be known of failed rounds is kept. */
  readonly keep: string;
}

/** Ends the process with 2 for what it can't read. */
export function readChaosOptions(args: string[]): ChaosOptions {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args, options: { seeds: text, seed: text, keep: text } });
    const seeds = Number(values.seeds ?? 10);
    const seed = Number(values.seed ?? randomInt(2 ** 31));
    if (!Number.isSafeInteger(seeds) || seeds < 1) throw new Error('--seeds must be a whole number greater than 0');
    if (!Number.isSafeInteger(seed)) throw new Error('--seed must be a whole number');
    return { seeds, seed, keep: values.keep ?? join(ROOT, '.leash', 'chaos') };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

/** The options that all vitest projects share. */
import { TEST_LIMIT_MS, WAIT_LIMIT_MS } from '#testing/patience';

/**
 * The projects run one after another, in this order: what fails soonest first, fork storms last. Interleaving them would
 * cost CPU, because a worker serves one project, and starting a worker costs more than most test files do.
 */
const ORDER = ['protocol', 'dashboard', 'worker', 'wrapper', 'wrapper-node18', 'test', 'wrapper-storms'] as const;

/**
 * @param name the project's
 * @param maxWorkers how many of its files run at once
 */
export function projectOptions(name: (typeof ORDER)[number], maxWorkers: number) {
  return {
    name,
    maxWorkers,
    // The files of a worker share its process and what they import. A setup file resets what they must not share.
    isolate: false,
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    teardownTimeout: WAIT_LIMIT_MS,
    sequence: { groupOrder: ORDER.indexOf(name) },
  };
}

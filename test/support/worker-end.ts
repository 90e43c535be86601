/**
 * What lives as long as a worker of vitest, because to start it costs more than many files' tests: a browser, a control
 * plane. vitest tells a worker's end to its environment alone, which is why this is one: that of Node, and an end.
 */
import { builtinEnvironments, type Environment } from 'vitest/runtime';

type Close = () => Promise<void>;

/** Vitest loads the environment apart from the tests, so that they have no module in common. */
const CLOSES = Symbol.for('leash.worker-end');
const shared = globalThis as typeof globalThis & { [CLOSES]?: Close[] };

/** Has something closed when the worker has run its last file. The last to come goes first. */
export function atWorkerEnd(close: Close): void {
  shared[CLOSES] ??= [];
  shared[CLOSES].push(close);
}

const environment: Environment = {
  ...builtinEnvironments.node,
  name: 'worker-end',
  async setup(global, options) {
    const { teardown } = await builtinEnvironments.node.setup(global, options);
    return {
      async teardown(): Promise<void> {
        for (const close of (shared[CLOSES]?.splice(0) ?? []).toReversed()) await close();
        await teardown(global);
      },
    };
  },
};

export default environment;

/**
 * What lives as long as a vitest worker, because starting it costs more than many files' tests: a browser, a control plane.
 * vitest notifies only its environment of a worker's end, so this is an environment: Node's, with a teardown.
 */
import { builtinEnvironments, type Environment } from 'vitest/runtime';

type Close = () => Promise<void>;

/** Vitest loads the environment separately from the tests, so they share no module. */
const CLOSES = Symbol.for('leash.worker-end');
const shared = globalThis as typeof globalThis & { [CLOSES]?: Close[] };

/** Registers a function that runs after the worker's last file, in reverse order of registration. */
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

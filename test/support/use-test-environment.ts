import { afterAll, beforeAll } from 'vitest';
import { type Build, TestEnvironment } from './test-environment.ts';
import { atWorkerEnd } from './worker-end.ts';

/** Call it only inside tests. */
type GetEnvironment = () => TestEnvironment;

let shared: TestEnvironment | null = null;

/**
 * The environment that this worker's files share, one after another. A job's name belongs to one file, and lists show what
 * earlier files have left: a test filters for its own.
 */
export function useTestEnvironment(): GetEnvironment {
  return useEnvironment(
    async () => {
      if (shared?.isOver === true) await shared.dispose();
      else if (shared !== null) return shared;
      else atWorkerEnd(async () => shared?.dispose());
      shared = await TestEnvironment.create();
      return shared;
    },
    (environment) => environment.clear(),
  );
}

/**
 * An environment for this file alone: with its own settings, without other files' jobs, or with parts of another build.
 */
export function useOwnTestEnvironment(vars?: Record<string, string>, build?: () => Promise<Build>): GetEnvironment {
  return useEnvironment(
    async () => TestEnvironment.create(vars, await build?.()),
    (environment) => environment.dispose(),
  );
}

function useEnvironment(
  create: () => Promise<TestEnvironment>,
  release: (environment: TestEnvironment) => Promise<void>,
): GetEnvironment {
  let environment: TestEnvironment | null = null;
  beforeAll(async () => {
    environment = await create();
  });
  afterAll(async () => {
    if (environment !== null) await release(environment);
  });
  return () => {
    if (environment === null) throw new Error('the test environment exists inside of tests only');
    return environment;
  };
}

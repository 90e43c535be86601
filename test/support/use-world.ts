import { afterAll, beforeAll } from 'vitest';
import { atWorkerEnd } from './worker-end.ts';
import { World } from './world.ts';

interface WorldUse {
  /** Read inside of tests only. */
  readonly current: World;
}

let shared: World | null = null;

/**
 * The world that this worker's files take turns with. A job's name belongs to one file, and lists show what the files
 * before have left: a test finds its own by a filter.
 */
export function useWorld(): WorldUse {
  return useWorldFrom({
    create: async () => {
      if (shared?.isOver === true) await shared.dispose();
      else if (shared !== null) return shared;
      else atWorkerEnd(async () => shared?.dispose());
      shared = await World.create();
      return shared;
    },
    leave: (world) => world.clear(),
  });
}

/** A world that is new for this file: with settings of its own, or because nothing else may be in it. */
export function useOwnWorld(vars?: Record<string, string>): WorldUse {
  return useWorldFrom({ create: () => World.create(vars), leave: (world) => world.dispose() });
}

function useWorldFrom(way: { create(): Promise<World>; leave(world: World): Promise<void> }): WorldUse {
  let world: World | null = null;
  beforeAll(async () => {
    world = await way.create();
  });
  afterAll(async () => {
    if (world !== null) await way.leave(world);
  });
  return {
    get current() {
      if (world === null) throw new Error('the world is there inside of tests only');
      return world;
    },
  };
}

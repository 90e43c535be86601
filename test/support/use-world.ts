import { afterAll, beforeAll } from 'vitest';
import { World } from './world.ts';

/** One world for all tests of a file. Read `current` inside of tests only. */
export function useWorld(vars?: Record<string, string>): { readonly current: World } {
  let world: World | null = null;
  beforeAll(async () => {
    world = await World.create(vars);
  });
  afterAll(async () => {
    await world?.dispose();
  });
  return {
    get current() {
      if (world === null) throw new Error('the world is there inside of tests only');
      return world;
    },
  };
}

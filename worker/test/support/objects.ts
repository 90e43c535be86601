import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import type { RunEvent } from '#protocol/api';
import { env } from './env.ts';

export function jobObject(job: string) {
  return env.JOBS.getByName(job);
}

export function run(job: string, id: string) {
  return runInDurableObject(jobObject(job), (object) => object.run(id));
}

export async function eventTypes(job: string, id: string): Promise<RunEvent['type'][]> {
  const events = await runInDurableObject(jobObject(job), (object) => object.events(id, 0, 1000));
  return events.map(({ type }) => type);
}

/** What a crash or a deploy does: memory is gone and every socket is closed, whether or not anyone was told. */
export async function restart(job: string): Promise<void> {
  const aborted = runInDurableObject(jobObject(job), async (_object, state) => {
    await state.storage.sync();
    state.abort('restarted by the test');
  });
  // The call dies with the object.
  await aborted.catch(() => {});
}

/** What hibernation does: memory is gone and the sockets are still there. */
export async function hibernate(job: string): Promise<void> {
  await evictDurableObject(jobObject(job), { webSockets: 'hibernate' });
}

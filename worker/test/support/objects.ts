import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import type { RunEvent } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import type { DeadlineKind } from '../../durable/job/alarm-scheduler.ts';
import type { JobObjectRpc } from '../../shared/rpc/job-object.ts';
import { env } from './env.ts';

export function jobObject(job: string) {
  return env.JOBS.getByName(job);
}

export function run(job: string, id: string) {
  return runInDurableObject(jobObject(job), (object) => object.run(id));
}

export function runEvents(job: string, id: string): Promise<RunEvent[]> {
  return runInDurableObject(jobObject(job), (object) => object.events(id, 0, 1000));
}

export async function eventTypes(job: string, id: string): Promise<RunEvent['type'][]> {
  return (await runEvents(job, id)).map(({ type }) => type);
}

/** What a crash or a deploy does: memory is lost and every socket is closed, with or without a close frame. */
export async function restart(job: string): Promise<void> {
  const aborted = runInDurableObject(jobObject(job), async (_object, state) => {
    await state.storage.sync();
    state.abort('restarted by the test');
  });
  // The call dies with the object.
  await aborted.catch(() => {});
}

/** What hibernation does: memory is lost and the sockets stay open. */
export async function hibernate(job: string): Promise<void> {
  await evictDurableObject(jobObject(job), { webSockets: 'hibernate' });
}

/** Keeps the object in memory meanwhile. The runtime evicts one that is idle for some seconds of real time. */
export async function inMemory(job: string, what: () => Promise<void>): Promise<void> {
  let release = () => {};
  // Made here: an object's own promise can't be resolved from outside of it.
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = runInDurableObject(jobObject(job), () => released);
  try {
    await what();
  } finally {
    release();
    await held;
  }
}

/** The object has noticed that a run's link is gone. */
export async function disconnected({ job, run: id }: { job: string; run: string }): Promise<void> {
  await waitFor('the object to notice', async () => (await run(job, id))?.connected === false);
}

const UNSENT = `SELECT 1 FROM runs WHERE sent_seq < seq UNION ALL SELECT 1 FROM kills WHERE sent_seq < seq
  UNION ALL SELECT 1 FROM expectations WHERE sent_seq < seq UNION ALL SELECT 1 FROM tombstones`;

/** How many changes of a job D1 does not have. Does not call the object. */
export function unsentChanges(job: string): Promise<number> {
  return runInDurableObject(jobObject(job), (_object, { storage: { sql } }) => {
    const hasTables = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'tombstones'").toArray().length > 0;
    return hasTables ? sql.exec(UNSENT).toArray().length : 0;
  });
}

export async function isOutboxEmpty(job: string): Promise<boolean> {
  return (await unsentChanges(job)) === 0;
}

/** When the object's alarm will fire; null: none is set. */
export function nextAlarm(job: string): Promise<number | null> {
  return runInDurableObject(jobObject(job), (_object, { storage }) => storage.getAlarm());
}

/** How many deadlines of a kind are set. */
export function deadlines(job: string, kind: DeadlineKind): Promise<number> {
  return runInDurableObject(
    jobObject(job),
    (_object, state) =>
      state.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM deadlines WHERE kind = ?', kind).one().n,
  );
}

/** Until it ends, the object's storage fails at this statement, such as `UPDATE ON kills`, as if by a bug. */
export async function withFault(job: string, statement: string, what: () => Promise<void>): Promise<void> {
  const exec = (query: string) =>
    runInDurableObject(jobObject(job), (_object, state) => void state.storage.sql.exec(query));
  await exec(`CREATE TRIGGER fault BEFORE ${statement} BEGIN SELECT RAISE(ABORT, 'fault'); END`);
  try {
    await what();
  } finally {
    await exec('DROP TRIGGER fault');
  }
}

/** Until it ends, no call to kill reaches the object. */
export async function withoutObject(job: string, what: () => Promise<void>): Promise<void> {
  await withoutMethods(job, ['acceptKills', 'offerKills'], what);
}

/** Until it ends, the object lacks these methods, as if it ran older code. */
export async function withoutMethods(
  job: string,
  methods: readonly (keyof JobObjectRpc)[],
  what: () => Promise<void>,
): Promise<void> {
  await runInDurableObject(jobObject(job), (object) => {
    // The runtime doesn't call an instance's own methods.
    for (const method of methods) Object.assign(object, { [method]: null });
  });
  try {
    await what();
  } finally {
    await runInDurableObject(jobObject(job), (object) => {
      for (const method of methods) Reflect.deleteProperty(object, method);
    });
  }
}

/** What a function returns while no call to kill reaches the object. */
export async function unreached<Result>(job: string, what: () => Promise<Result>): Promise<Result> {
  const results: Result[] = [];
  await withoutObject(job, async () => void results.push(await what()));
  return results[0] as Result;
}

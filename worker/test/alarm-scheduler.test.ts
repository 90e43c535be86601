import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import { AlarmScheduler } from '../durable/job/alarm-scheduler.ts';
import { postKill } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { hibernate, jobObject } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe("the object's one alarm", () => {
  useFakeDate();

  test('is set to the earliest deadline, also after the object forgot where it stood', async () => {
    const who = newIdentity('alarm-earliest');
    const wrapper = await TestWrapper.connect(who);
    await postKill(who.job);
    await wrapper.kill();
    const ringsInTime = () =>
      runInDurableObject(jobObject(who.job), async (_object, { storage }) => {
        const { due } = storage.sql.exec<{ due: number }>('SELECT min(due_at) AS due FROM deadlines').one();
        const alarm = await storage.getAlarm();
        return alarm !== null && alarm <= due;
      });
    expect(await ringsInTime()).toBe(true);
    await hibernate(who.job);
    // A later deadline than the one it is set to must not move it.
    await postKill(who.job, { instance: 'nobody' });
    expect(await ringsInTime()).toBe(true);
  });

  test('is never set to the past, where it would stall', async () => {
    const job = 'alarm-past';
    await postKill(job, { instance: 'nobody' });
    const set = await runInDurableObject(jobObject(job), (_object, { storage }) => {
      const setAlarm = vi.spyOn(storage, 'setAlarm');
      new AlarmScheduler(storage).arm('drain', '', Date.now() - 60_000);
      const times = setAlarm.mock.calls.map(([at]) => Number(at));
      setAlarm.mockRestore();
      return times;
    });
    expect(set).not.toEqual([]);
    expect(Math.min(...set)).toBeGreaterThan(Date.now());
  });
});

/** A run's events, however many they are. */
import { describe, expect, test, vi } from 'vitest';
import { useFakeDate } from './support/clock.ts';
import { hibernate, jobObject, runEvents } from './support/objects.ts';
import { query } from './support/storage.ts';
import { type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const MANY = 150;

/** Each lost byte is an event. */
async function loseBytes(wrapper: TestWrapper, from: number, count: number): Promise<void> {
  for (let offset = from; offset < from + 2 * count; offset += 2) {
    wrapper.print(offset, '.');
    wrapper.say({ type: 'gap', from: offset + 1, to: offset + 2 });
  }
  await wrapper.acked(from + 2 * count);
}

async function rows({ job, run }: Identity): Promise<{ first: number }[]> {
  return query(job, 'SELECT first FROM events WHERE run = ? ORDER BY first', run);
}

describe('the events of a run', () => {
  useFakeDate();

  test('are all there, in order, numbered without a break, also when they do not fit into its row', async () => {
    const who = newIdentity('events-many');
    await loseBytes(await TestWrapper.connect(who), 0, MANY);
    expect((await rows(who)).length).toBeGreaterThan(2);
    await hibernate(who.job);
    const events = await runEvents(who.job, who.run);
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: MANY + 2 }, (_, index) => index + 1));
    expect(events.map(({ type }) => type)).toEqual(['started', 'connected', ...Array(MANY).fill('output_gap')]);
    for (const after of [0, 1, 32, 33, 34, 100, MANY + 1, MANY + 2]) {
      expect(await jobObject(who.job).events(who.run, after, 40)).toEqual(events.slice(after, after + 40));
    }
  });

  test('of months ago are removed while the run lives, and the others keep their numbers', async () => {
    const who = newIdentity('events-old');
    const wrapper = await TestWrapper.connect(who);
    await loseBytes(wrapper, 0, MANY);
    vi.setSystemTime(Date.now() + 60 * DAY_MS);
    await loseBytes(wrapper, 2 * MANY, 3);
    vi.setSystemTime(Date.now() + 31 * DAY_MS);
    await jobObject(who.job).reconcile();
    expect(await rows(who)).toEqual([]);
    wrapper.say({ type: 'alive' });
    await wrapper.settled();
    const old = (await runEvents(who.job, who.run)).filter(({ type }) => type === 'output_gap');
    expect(old.map(({ id }) => id)).toEqual([MANY + 3, MANY + 4, MANY + 5]);
  });
});

/** A wrapper sends seldom while no viewer follows its run: whoever reads the output asks it for what it has. */
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { call } from './support/api.ts';
import { runTimers } from './support/clock.ts';
import { indexed } from './support/d1.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

/** A run that has printed `old`, whose wrapper can be asked. */
async function running(job: string) {
  const who = newIdentity(job);
  const wrapper = await TestWrapper.connect(who, { answers_flush: true });
  wrapper.print(0, 'old');
  await wrapper.acked(3);
  await indexed(who.run);
  return { who, wrapper };
}

const asked = (wrapper: TestWrapper) => waitFor('a flush', () => wrapper.of('flush').at(-1));

async function read(run: string, query = ''): Promise<string> {
  return (await call('GET', `/runs/${run}/output${query}`)).text();
}

test.each([
  { what: 'whole', query: '', text: 'oldnewer' },
  { what: 'by its tail', query: '?tail=5', text: 'newer' },
  { what: 'from an offset', query: '?offset=2', text: 'dnewer' },
])("a running run's output that is read $what has what was printed before", async ({ what, query, text }) => {
  const { who, wrapper } = await running(`flush-read-${what.replaceAll(' ', '-')}`);
  const reading = read(who.run, query);
  const { id } = await asked(wrapper);
  wrapper.say({ type: 'flushed', id, to: 8 });
  wrapper.print(3, 'new');
  wrapper.print(6, 'er');
  expect(await reading).toBe(text);
});

test('each reader waits for its own answer', async () => {
  const { who, wrapper } = await running('flush-two');
  const [first, second] = [read(who.run), read(who.run)];
  const [one, two] = await waitFor('both', () => (wrapper.of('flush').length === 2 ? wrapper.of('flush') : null));
  wrapper.say({ type: 'flushed', id: one?.id ?? 0, to: 3 });
  const done = await Promise.race([first.then(() => 'first'), second.then(() => 'second')]);
  wrapper.print(3, 'new');
  wrapper.say({ type: 'flushed', id: two?.id ?? 0, to: 6 });
  const texts = await Promise.all([first, second]);
  // Which of them was asked first is not known here.
  expect(texts[done === 'first' ? 1 : 0]).toBe('oldnew');
});

test('a link that does not answer delays a reader for a second', async () => {
  const { who, wrapper } = await running('flush-dead');
  const reading = read(who.run);
  await asked(wrapper);
  await runTimers(who.job, 1_000);
  expect(await reading).toBe('old');
});

test('a link that closes keeps no reader waiting', async () => {
  const { who, wrapper } = await running('flush-closed');
  const reading = read(who.run);
  await asked(wrapper);
  wrapper.close();
  expect(await reading).toBe('old');
});

test('the wrapper of an ended run, and one of an older version, is not asked', async () => {
  const { who, wrapper } = await running('flush-ended');
  await wrapper.completed({ final_offset: 3 });
  expect(await read(who.run)).toBe('old');
  expect(wrapper.of('flush')).toEqual([]);
  const other = newIdentity('flush-older');
  const older = await TestWrapper.connect(other);
  await indexed(other.run);
  expect(await read(other.run)).toBe('');
  expect(older.of('flush')).toEqual([]);
});

test('a wrapper learns how often to send: seldom, and at once while a viewer follows its run', async () => {
  const { who, wrapper } = await running('flush-pacing');
  expect(wrapper.of('ack')[0]).toMatchObject({ flow: 'lazy', pacing: { delay_ms: 1_000, interval_ms: 10_000 } });
  const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
  viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
  const eager = await waitFor('eager', () => wrapper.of('flow').at(-1));
  expect(eager).toMatchObject({ mode: 'eager', pacing: { delay_ms: 0, interval_ms: 30 } });
  viewer.close();
  const lazy = await waitFor('lazy', () => wrapper.of('flow').find(({ mode }) => mode === 'lazy'));
  expect(lazy).toMatchObject({ pacing: { interval_ms: 10_000 } });
});

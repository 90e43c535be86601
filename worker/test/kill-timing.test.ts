/** How long a kill takes, hop by hop: stored, sent, received, first signal, last process gone. */
import { expect, test, vi } from 'vitest';
import type { KillTiming } from '#protocol/wrapper-link';
import { killingMessage } from '#testing/wrapper-messages';
import { getKill, postKill } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { disconnected } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

useFakeDate();

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

async function answer(wrapper: TestWrapper, kill: string, phase: 'term' | 'gone', timing?: KillTiming): Promise<void> {
  wrapper.raw(JSON.stringify({ ...killingMessage(kill, phase), timing }));
  await wrapper.settled();
}

test('the times of the wrapper count from when it received the kill: half of the round trip, without its own time', async () => {
  const wrapper = await TestWrapper.connect(newIdentity('timing'));
  const { id, targets } = await postKill('timing');
  expect(targets[0]?.timing).toMatchObject({ sent_ms: 0, received_ms: null });
  await wrapper.kill();
  later(50);
  // The wrapper took 30 ms, so each way took 10.
  await answer(wrapper, id, 'term', { first_signal_ms: 2.25, last_process_gone_ms: null, sent_ms: 30 });
  later(1_000);
  await answer(wrapper, id, 'gone', { first_signal_ms: 2.25, last_process_gone_ms: 900, sent_ms: 1_010 });
  expect((await getKill(id)).targets[0]?.timing).toEqual({
    sent_ms: 0,
    received_ms: 10,
    first_signal_ms: 12.3,
    last_process_gone_ms: 910,
  });
});

test('a wrapper of an older version leaves all after the sending unknown', async () => {
  const wrapper = await TestWrapper.connect(newIdentity('timing-old'));
  const { id } = await postKill('timing-old');
  await answer(wrapper, id, 'term');
  expect((await getKill(id)).targets[0]?.timing).toEqual({
    sent_ms: 0,
    received_ms: null,
    first_signal_ms: null,
    last_process_gone_ms: null,
  });
});

test('a kill that waits for a wrapper is timed from the link on which it was sent', async () => {
  const who = newIdentity('timing-waits');
  (await TestWrapper.connect(who)).close();
  await disconnected(who);
  const { id, targets } = await postKill(who.job);
  expect(targets[0]?.timing).toBeNull();
  later(5_000);
  const back = await TestWrapper.connect(who);
  await back.kill();
  later(20);
  await answer(back, id, 'term', { first_signal_ms: 1, last_process_gone_ms: null, sent_ms: 20 });
  expect((await getKill(id)).targets[0]?.timing).toMatchObject({
    sent_ms: 5_000,
    received_ms: 5_000,
    first_signal_ms: 5_001,
  });
});

test('says when a kill was stored, wherever that was first', async () => {
  const wrapper = await TestWrapper.connect(newIdentity('timing-stored'));
  const { id } = await postKill('timing-stored');
  await answer(wrapper, id, 'term');
  expect((await getKill(id)).stored_ms).toBe(0);
});

/** Kills, and processes that are related to a run without being part of it. */
import { expect, test } from 'vitest';
import type { RelatedProcess } from '#protocol/machine-facts';
import { appliedKill, killingMessage } from '#testing/wrapper-messages';
import { call, getKill, postKill } from './support/api.ts';
import { run, runEvents } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const TMUX: RelatedProcess = {
  pid: 4711,
  command_line: 'tmux new -d',
  parent: { pid: 1, command_line: '/sbin/init' },
  kept: true,
};

test('what is to be included is stored, sent to the wrapper, and part of the call', async () => {
  const who = newIdentity('kill-include');
  const wrapper = await TestWrapper.connect(who);
  const plain = await postKill(who.job);
  expect(plain.include).toBeNull();
  expect((await wrapper.kill()).include).toBeNull();
  const key = { 'Idempotency-Key': 'include' };
  const postWithKey = (body: object) => call('POST', `/jobs/${who.job}/kill`, { body, headers: key });
  const response = await postWithKey({ include: 'related' });
  const { kill: including } = (await response.json()) as { kill: { id: string } };
  expect(including).toMatchObject({ include: 'related' });
  const sent = await wrapper.next('the kill', (each) => each.type === 'kill' && each.kill === including.id);
  expect(sent).toMatchObject({ include: 'related' });
  expect(await getKill(including.id)).toMatchObject({ include: 'related' });
  const requested = (await runEvents(who.job, who.run)).filter(({ type }) => type === 'kill_requested');
  expect(requested).toMatchObject([{ include: null }, { include: 'related' }]);
  // Without it this is another call.
  expect((await postWithKey({})).status).toBe(422);
  expect((await call('POST', `/jobs/${who.job}/kill`, { body: { include: 'all' } })).status).toBe(400);
  const many = await call('POST', '/kills', { body: { runs: [who.run], include: 'related' } });
  expect(await many.json()).toMatchObject({ kills: [{ include: 'related' }] });
});

test('what was left alone is reported with the kill, which is settled all the same', async () => {
  const who = newIdentity('kill-related');
  const wrapper = await TestWrapper.connect(who);
  const { id } = await postKill(who.job);
  wrapper.say(killingMessage(id, 'gone', { reason: 'operator', related: [TMUX] }));
  await wrapper.settled();
  const left = { state: 'gone', survivors: [], unnamed_survivors: false, related: [TMUX], related_count: 1 };
  expect(await getKill(id)).toMatchObject({ targets: [left] });
  const { pid, command_line: line, ...relation } = TMUX;
  await wrapper.completed({ left_running: [{ pid, command_line: line, relation }] });
  expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [left] });
  expect(await run(who.job, who.run)).toMatchObject({ state: 'killed', left_running: [{ pid, relation }] });
  const told = (await runEvents(who.job, who.run)).find(({ type }) => type === 'kill_progress');
  expect(told).toMatchObject({ phase: 'gone', related: [TMUX] });
});

test('what was left alone is reported with the next start if the kill’s last message was lost', async () => {
  const who = newIdentity('kill-related-later');
  const wrapper = await TestWrapper.connect(who);
  const { id } = await postKill(who.job);
  await wrapper.kill();
  wrapper.close();
  await TestWrapper.connect(who, { applied_kills: [appliedKill(id, 'gone')], related: [TMUX] });
  expect(await getKill(id)).toMatchObject({ targets: [{ state: 'gone', related: [TMUX] }] });
});

test('of very many not all are named, but all are counted', async () => {
  const job = 'kill-related-many';
  const long = { ...TMUX, kill: 'x'.repeat(256) };
  const wrappers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => TestWrapper.connect(newIdentity(job, `web${index}`))),
  );
  const { id } = await postKill(job);
  for (const wrapper of wrappers) {
    const related = Array.from({ length: 32 }, (_, index) => ({ ...long, pid: 5_000 + index }));
    wrapper.say(killingMessage(id, 'gone', { reason: 'operator', related }));
    await wrapper.settled();
  }
  const { targets } = await getKill(id);
  expect(targets.map(({ related_count }) => related_count)).toEqual(wrappers.map(() => 32));
  expect(JSON.stringify(targets).length).toBeLessThan(80 * 1024);
  expect(targets[0]?.related).toHaveLength(32);
});

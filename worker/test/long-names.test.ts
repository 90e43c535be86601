/** Names have up to 128 characters, and D1 takes no pattern of more than 50 bytes. */
import { expect, test } from 'vitest';
import { call, newToken, refusal } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

test('jobs and machines with the longest names are killed by selector', async () => {
  const who = { ...newIdentity('long-killed-'.padEnd(128, 'j'), 'm'.repeat(128)), instance: 'i' };
  const wrapper = await TestWrapper.connect(who);
  await indexed(who.run);
  const response = await call('POST', '/kills', { body: { jobs: [who.job, 'other-*'], machines: who.machine } });
  expect(await response.json()).toMatchObject({ kills: [{ job: who.job, machine: who.machine }] });
  await wrapper.kill();
  const none = await call('POST', '/kills', { body: { jobs: who.job, machines: 'm'.repeat(127) } });
  expect(await none.json()).toEqual({ kills: [] });
});

test('a token for the longest name, or with the longest glob, lists only its jobs and runs', async () => {
  const own = { ...newIdentity('long-listed-'.padEnd(128, 'j')), instance: 'i' };
  const other = newIdentity('long-listed-other');
  for (const who of [own, other]) {
    await TestWrapper.connect(who);
    await indexed(who.run);
  }
  for (const jobs of [own.job, `*${'j'.repeat(49)}`]) {
    const { secret } = await newToken({ name: 'long', scopes: ['read', 'kill'], jobs });
    const listed = async (path: string) => (await call('GET', path, { token: secret })).json();
    const { jobs: names } = (await listed('/jobs?limit=500')) as { jobs: { name: string }[] };
    expect(names.map(({ name }) => name)).toEqual(expect.arrayContaining([own.job]));
    expect(names.map(({ name }) => name)).not.toContain(other.job);
    const { runs } = (await listed('/runs?limit=500')) as { runs: { id: string }[] };
    expect(runs.map(({ id }) => id)).toContain(own.run);
    expect(runs.map(({ id }) => id)).not.toContain(other.run);
    const killed = await call('POST', '/kills', { token: secret, body: { jobs: 'long-listed-*' } });
    expect(await killed.json()).toMatchObject({ kills: [{ job: own.job }] });
  }
});

test('a pattern that D1 would refuse is refused in the request', async () => {
  const jobs = `*${'j'.repeat(50)}`;
  expect(await refusal(call('POST', '/kills', { body: { jobs } }))).toBe('400 bad_request');
  expect(await refusal(call('POST', '/tokens', { body: { name: 'x', scopes: ['read'], jobs } }))).toBe(
    '400 bad_request',
  );
});

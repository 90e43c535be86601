/** A kill that finds nothing to end says so in its answer, and goes on to look only for what may still connect. */
import { describe, expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import { call, getKill } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

async function ended(job: string): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job));
  await wrapper.completed();
  await indexed(wrapper.identity.run);
  return wrapper;
}

async function killed(job: string, body: unknown = {}): Promise<{ status: number; kill: Kill }> {
  const response = await call('POST', `/jobs/${job}/kill`, { body });
  const { kill: answered } = await response.json<{ kill: Kill }>();
  return { status: response.status, kill: answered };
}

describe('a kill of a job without live runs', () => {
  test('says so at once, in the response, in the queue and to viewers', async () => {
    await ended('idle');
    const viewer = await TestViewer.watch('/jobs/idle/watch');
    const { status, kill: answered } = await killed('idle');
    expect([status, answered]).toMatchObject([202, { state: 'queued', found_nothing: true, targets: [] }]);
    expect(await getKill(answered.id)).toMatchObject({ found_nothing: true });
    expect((await viewer.next('kill')).kill).toMatchObject({ id: answered.id, found_nothing: true });
  });

  test('has found something as soon as a run that started before it connects', async () => {
    await ended('idle-late');
    const { kill: answered } = await killed('idle-late');
    const late = await TestWrapper.connect(newIdentity('idle-late'), { age_ms: 60_000 });
    expect((await late.kill()).kill).toBe(answered.id);
    expect(await getKill(answered.id)).toMatchObject({ found_nothing: false, targets: [{ state: 'sent' }] });
  });
});

test('a kill of a run that has ended is settled at once, and has found nothing', async () => {
  const { identity } = await ended('idle-run');
  const { status, kill: answered } = await killed('idle-run', { run: identity.run });
  expect([status, answered]).toMatchObject([
    200,
    { state: 'settled', found_nothing: true, targets: [{ run: identity.run, state: 'refused' }] },
  ]);
});

test('invisible characters in a reason are escaped', async () => {
  await ended('idle-reason');
  const { kill: answered } = await killed('idle-reason', { reason: 'disk\n full \u202Eeslaf\u001b[2K' });
  expect(answered.reason).toBe('disk  full <U+202E>eslaf<U+001B>[2K');
});

test('a kill of a live run has found something', async () => {
  const wrapper = await TestWrapper.connect(newIdentity('not-idle'));
  const { kill: answered } = await killed('not-idle');
  expect(answered).toMatchObject({ found_nothing: false, targets: [{ run: wrapper.identity.run }] });
});

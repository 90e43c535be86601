/** A run of a job that the caller may not see is, in every answer, like one that never was. */
import { ulid } from 'ulid';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Scope } from '#protocol/api';
import { API_OPERATIONS } from '../src/http/operations.ts';
import { call, newToken } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const mine = newIdentity('foreign-mine');
const theirs = newIdentity('foreign-theirs');

/** Every call that takes a run's id, by its operation. A new one has to be added here. */
const CALLS: Record<string, (run: string) => { method: string; path: string; body?: unknown; headers?: HeadersOf }> = {
  killJob: (run) => ({ method: 'POST', path: `/jobs/${mine.job}/kill`, body: { run } }),
  killMany: (run) => ({ method: 'POST', path: '/kills', body: { runs: [run] } }),
  getRun: (run) => ({ method: 'GET', path: `/runs/${run}` }),
  listRunEvents: (run) => ({ method: 'GET', path: `/runs/${run}/events` }),
  getRunOutput: (run) => ({ method: 'GET', path: `/runs/${run}/output` }),
  connectWrapper: (run) => ({
    method: 'GET',
    path: `/jobs/${mine.job}/connect?${new URLSearchParams({ run, instance: mine.instance, machine: mine.machine })}`,
    headers: { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'leash.v1' },
  }),
};
type HeadersOf = Record<string, string>;

beforeAll(async () => {
  await Promise.all([mine, theirs].map((who) => TestWrapper.connect(who)));
  await Promise.all([mine, theirs].map(({ run }) => indexed(run)));
});

async function tokenFor(...scopes: Scope[]): Promise<string> {
  return (await newToken({ name: scopes.join('-'), scopes, jobs: mine.job })).secret;
}

/** An answer without what differs from one call to the next. */
async function answerOf(response: Response): Promise<string> {
  const body = response.status === 101 ? '' : await response.text();
  return `${response.status} ${body
    .replaceAll(/[0-9A-HJKMNP-TV-Z]{26}/g, 'ID')
    .replaceAll(/\d{4}-[\d-]+T[\d:.]+Z/g, 'TIME')
    .replaceAll(/"stored_ms":\d+/g, '"stored_ms":MS')}`;
}

describe.each(Object.entries(CALLS))('%s', (_operation, callFor) => {
  test.each([{}, { 'Idempotency-Key': 'the same' }])('answers both alike, with %o', async (key) => {
    const token = await tokenFor('read', 'kill', 'run');
    const answers = [];
    for (const run of [theirs.run, ulid()]) {
      const { method, path, body, headers } = callFor(run);
      const keys = 'Idempotency-Key' in key ? { 'Idempotency-Key': run } : {};
      answers.push(await answerOf(await call(method, path, { token, body, headers: { ...headers, ...keys } })));
    }
    expect(answers[0]).toBe(answers[1]);
  });
});

test('a kill of either is stored, and reaches no run', async () => {
  const token = await tokenFor('kill');
  const answers = [];
  for (const run of [theirs.run, ulid()]) {
    const stored = await call('POST', `/jobs/${mine.job}/kill`, { token, body: { run } });
    expect(stored.status).toBe(202);
    const { kill } = await stored.json<{ kill: { id: string } }>();
    answers.push(await answerOf(await call('GET', `/kills/${kill.id}`, { token })));
  }
  expect(answers[0]).toBe(answers[1]);
});

test('viewers of a job get the same error', async () => {
  const viewer = await TestViewer.watch(`/jobs/${mine.job}/watch`, await tokenFor('read'));
  for (const run of [theirs.run, ulid()]) viewer.say({ type: 'subscribe', run, offset: 0 });
  const second = await viewer.next('error', (message) => message !== viewer.of('error')[0]);
  const withoutIds = (text = '') => text.replaceAll(/[0-9A-Z]{26}/g, 'ID');
  expect(withoutIds(second.message)).toBe(withoutIds(viewer.of('error')[0]?.message));
});

test('a caller who may see both jobs learns where the run is', async () => {
  const response = await call('POST', `/jobs/${mine.job}/kill`, { body: { run: theirs.run } });
  expect([response.status, await response.json()]).toMatchObject([
    404,
    { code: 'unknown_run', detail: expect.stringContaining(`job ${theirs.job}`) },
  ]);
});

test('the table has every call with a run in its path', () => {
  const withRun = API_OPERATIONS.filter(({ params, query }) => 'run' in params || 'run' in query).map(({ id }) => id);
  expect(Object.keys(CALLS)).toEqual(expect.arrayContaining(withRun));
});

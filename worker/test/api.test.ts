import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { version } from '../../package.json';
import { call, expiredToken, newToken, postKill, refusal, request } from './support/api.ts';
import { indexed, without } from './support/d1.ts';
import { env } from './support/env.ts';
import { jobObject } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('a token', () => {
  test('that is missing, wrong or expired is refused, each with its own code', async () => {
    expect(await refusal(request('/api/v1/jobs'))).toBe('401 unauthenticated');
    expect(await refusal(call('GET', '/jobs', { token: 'leash_wrong' }))).toBe('401 unauthenticated');
    const { secret } = await expiredToken({ name: 'old', scopes: ['read'] });
    expect(await refusal(call('GET', '/jobs', { token: secret }))).toBe('401 token_expired');
  });

  test('allows what its scopes allow and nothing else', async () => {
    const [run, read, killing] = await Promise.all([
      newToken({ name: 'run', scopes: ['run'] }),
      newToken({ name: 'read', scopes: ['read'] }),
      newToken({ name: 'kill', scopes: ['kill'] }),
    ]);
    const who = newIdentity('scopes');
    await TestWrapper.connect(who);
    await indexed(who.run);
    for (const { secret } of [run, killing]) {
      for (const path of ['/jobs', '/runs', `/runs/${who.run}`, `/runs/${who.run}/output`, `/runs/${who.run}/events`]) {
        expect(await refusal(call('GET', path, { token: secret }))).toBe('403 forbidden');
      }
    }
    for (const { secret } of [run, read]) {
      expect(await refusal(call('POST', '/jobs/scopes/kill', { token: secret, body: {} }))).toBe('403 forbidden');
    }
    for (const { secret } of [run, read, killing]) {
      expect(await refusal(call('GET', '/tokens', { token: secret }))).toBe('403 forbidden');
    }
    expect((await call('POST', '/jobs/scopes/kill', { token: killing.secret, body: {} })).status).toBe(202);
    expect((await call('GET', `/runs/${who.run}`, { token: read.secret })).status).toBe(200);
  });

  test('may be for some jobs only: other jobs count as unknown', async () => {
    const { secret } = await newToken({ name: 'web', scopes: ['read', 'kill'], jobs: 'web-*' });
    const [mine, theirs] = [newIdentity('web-backup'), newIdentity('db-backup')];
    await Promise.all([TestWrapper.connect(mine), TestWrapper.connect(theirs)]);
    await Promise.all([indexed(mine.run), indexed(theirs.run)]);
    const { runs } = await (await call('GET', '/runs', { token: secret })).json<{ runs: { job: string }[] }>();
    expect(runs.map(({ job }) => job)).toEqual(['web-backup']);
    const { jobs } = await (await call('GET', '/jobs', { token: secret })).json<{ jobs: { name: string }[] }>();
    expect(jobs.map(({ name }) => name)).toEqual(['web-backup']);
    expect(await refusal(call('GET', `/runs/${theirs.run}`, { token: secret }))).toBe('404 unknown_run');
    expect(await refusal(call('POST', '/jobs/db-backup/kill', { token: secret, body: {} }))).toBe('403 forbidden');
  });

  test('is stored as a hash, listed without its secret, and refused after it is deleted', async () => {
    const { token, secret } = await newToken({ name: 'short-lived', scopes: ['read'] });
    expect(secret).toMatch(/^leash_[A-Za-z0-9]{49}$/);
    const row = await env.DB.prepare('SELECT * FROM tokens WHERE id = ?').bind(token.id).first();
    expect(JSON.stringify(row)).not.toContain(secret);
    expect(await (await call('GET', '/tokens')).text()).not.toContain(secret);
    expect((await call('GET', '/jobs', { token: secret })).status).toBe(200);
    expect((await call('DELETE', `/tokens/${token.id}`)).status).toBe(204);
    expect(await refusal(call('GET', '/jobs', { token: secret }))).toBe('401 unauthenticated');
    expect(await refusal(call('DELETE', `/tokens/${token.id}`))).toBe('404 unknown_token');
  });

  test('is created only by an admin of all jobs: an admin of some jobs could otherwise become one of all', async () => {
    const { secret } = await newToken({ name: 'web-admin', scopes: ['admin'], jobs: 'web-*' });
    const made = call('POST', '/tokens', { token: secret, body: { name: 'more', scopes: ['admin'], jobs: '*' } });
    expect(await refusal(made)).toBe('403 forbidden');
  });

  test('is limited to machines only if all its scopes are those of wrappers', async () => {
    const make = (scopes: string[]) =>
      call('POST', '/tokens', { body: { name: 'machines', scopes, machines: 'web*' } });
    for (const scope of ['read', 'kill', 'admin']) {
      expect(await refusal(make([scope]))).toBe('400 bad_request');
      expect(await refusal(make(['run', scope]))).toBe('400 bad_request');
    }
    expect((await make(['run'])).status).toBe(201);
    expect((await make(['run', 'saltpeter'])).status).toBe(201);
  });

  test('can ask what it may do, and where', async () => {
    const rights = { name: 'asks', scopes: ['run'], jobs: 'backup-*', machines: 'web*' } as const;
    const { secret } = await newToken({ ...rights, scopes: [...rights.scopes] });
    const answer = await call('GET', '/session', { token: secret });
    expect(await answer.json()).toEqual({ session: { ...rights, expires_at: null } });
  });

  test.each([
    ['one without its minutes', '2030-01-01T00:00:00+05'],
    ['a day that there is not', '2031-02-30T00:00:00Z'],
    ['one that has passed', '2026-01-01T00:00:00Z'],
  ])('ends at a time that is one and is to come: %s is refused', async (_what, expiresAt) => {
    const body = { name: 'no-time', scopes: ['read'], expires_at: expiresAt };
    expect(await refusal(call('POST', '/tokens', { body }))).toBe('400 bad_request');
    expect(await env.DB.prepare("SELECT 1 FROM tokens WHERE name = 'no-time'").first()).toBeNull();
  });

  test('may expire on the 29th of February of a leap year', async () => {
    const { token } = await newToken({ name: 'leap', scopes: ['read'], expires_at: '2096-02-29T23:59:59+01:00' });
    expect(token.expires_at).toBe('2096-02-29T22:59:59.000Z');
  });

  test('that is unknown leaves no audit entry when it is deleted', async () => {
    const id = '01M82PTB40WMEYKY30XERGEN0N';
    expect(await refusal(call('DELETE', `/tokens/${id}`))).toBe('404 unknown_token');
    expect(await env.DB.prepare('SELECT 1 FROM audit WHERE subject = ?').bind(id).first()).toBeNull();
  });

  test('for other jobs does not see their kills', async () => {
    const who = newIdentity('db-kill');
    await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    const { secret } = await newToken({ name: 'web-only', scopes: ['read', 'kill'], jobs: 'web-*' });
    expect(await refusal(call('GET', `/kills/${id}`, { token: secret }))).toBe('404 unknown_kill');
  });

  test('connects wrappers only with its scope, for its jobs and from its machines', async () => {
    const dial = (token: string, job: string, machine: string) => {
      const query = new URLSearchParams({ run: newIdentity(job).run, machine, instance: 'one' });
      return call('GET', `/jobs/${job}/connect?${query}`, {
        token,
        headers: { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'leash.v1' },
      });
    };
    const { secret } = await newToken({ name: 'web-run', scopes: ['run'], jobs: 'web-*', machines: 'web*' });
    const { secret: reader } = await newToken({ name: 'reader', scopes: ['read', 'kill'] });
    expect(await refusal(dial(secret, 'web-a', 'db1'))).toBe('403 forbidden');
    expect(await refusal(dial(secret, 'db-a', 'web1'))).toBe('403 forbidden');
    expect(await refusal(dial(reader, 'web-a', 'web1'))).toBe('403 forbidden');
    expect((await dial(secret, 'web-a', 'web1')).status).toBe(101);
  });

  test('watches only its jobs', async () => {
    const { secret } = await newToken({ name: 'web-reader', scopes: ['read'], jobs: 'web-*' });
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'leash.watch.v1' };
    expect(await refusal(call('GET', '/jobs/db-a/watch', { token: secret, headers }))).toBe('403 forbidden');
  });

  test('that cannot be looked up because D1 is unavailable is not called wrong', async () => {
    const { secret } = await newToken({ name: 'd1-away', scopes: ['read'] });
    await without(['tokens'], async () => {
      expect(await refusal(call('GET', '/jobs', { token: secret }))).toBe('503 unavailable');
    });
  });
});

describe('bad input', () => {
  const body = (text: string, type = 'application/json') =>
    request('/api/v1/jobs/any/kill', {
      method: 'POST',
      headers: { Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}`, 'Content-Type': type },
      body: text,
    });

  test('gets a stable code and a reason', async () => {
    expect(await refusal(body('{"grace_seconds":'))).toBe('400 bad_json');
    expect(await refusal(body('signal=SIGKILL', 'application/x-www-form-urlencoded'))).toBe(
      '415 unsupported_media_type',
    );
    expect(await refusal(body('{"signal":"SIGFOO"}'))).toBe('400 bad_request');
    expect(await refusal(body('{"grace_seconds":-1}'))).toBe('400 bad_request');
    expect(await refusal(body('{"graceseconds":1}'))).toBe('400 bad_request');
    expect(await refusal(body(JSON.stringify({ reason: 'x'.repeat(70_000) })))).toBe('413 too_large');
    expect(await refusal(call('POST', '/jobs/a%2Fb/kill', { body: {} }))).toBe('400 bad_request');
    expect(await refusal(call('POST', '/jobs/any/kill?wait=soon', { body: {} }))).toBe('400 bad_request');
    expect(await refusal(call('POST', '/jobs/any/kill?wait=61', { body: {} }))).toBe('400 bad_request');
    expect(await refusal(call('GET', '/runs?cursor=x'))).toBe('400 bad_cursor');
    expect(await refusal(call('GET', '/runs?state=sleeping'))).toBe('400 bad_request');
    expect(await refusal(call('GET', '/runs/01M82PTB40WMEYKY30XERGEN0N'))).toBe('404 unknown_run');
    expect(await refusal(call('GET', '/kills/01M82PTB40WMEYKY30XERGEN0N'))).toBe('404 unknown_kill');
    expect(await refusal(call('GET', '/nothing/here'))).toBe('404 not_found');
  });

  test('gets problem details with the field and the request id', async () => {
    const response = await body('{"signal":"SIGFOO"}');
    expect(response.headers.get('Content-Type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({
      status: 400,
      code: 'bad_request',
      detail: expect.stringContaining('signal'),
      request_id: expect.any(String),
    });
  });
});

describe('lists', () => {
  test('of runs are newest first, filtered, and continued by a cursor without repeats or omissions', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) {
      const who = newIdentity('list-runs', index % 2 === 0 ? 'even' : 'odd');
      await TestWrapper.connect(who, { age_ms: (5 - index) * 60_000 });
      await indexed(who.run);
      ids.unshift(who.run);
    }
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { runs: { id: string }[]; next_cursor: string | null } = await (
        await call('GET', `/runs?job=list-runs&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      ).json();
      seen.push(...page.runs.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(ids);
    const odd = await (await call('GET', '/runs?job=list-runs&machine=odd')).json<{ runs: unknown[] }>();
    expect(odd.runs).toHaveLength(2);
    const ended = await (await call('GET', '/runs?job=list-runs&state=failed')).json<{ runs: unknown[] }>();
    expect(ended.runs).toEqual([]);
  });

  test('of jobs contain the last run and the live runs', async () => {
    const [older, newer] = [newIdentity('list-jobs'), newIdentity('list-jobs')];
    await TestWrapper.connect(older, { age_ms: 60_000 });
    const second = await TestWrapper.connect(newer);
    await second.completed({ exit_code: 3, command_exit_code: 3, signal: null, reason: 'exited' });
    const job = await waitFor('D1 to know the end', async () => {
      const body = await (await call('GET', '/jobs/list-jobs')).json<{
        job?: { last_run: { id: string; state: string }; running: { id: string }[] };
      }>();
      return body.job?.last_run.state === 'failed' && body.job.running.length === 1 ? body.job : null;
    });
    expect(job.last_run.id).toBe(newer.run);
    expect(job.running.map(({ id }) => id)).toEqual([older.run]);
  });

  test('are valid whatever age a wrapper reports for its run', async () => {
    const who = newIdentity('list-absurd');
    const wrapper = await TestWrapper.connect(who, null);
    wrapper.start({ age_ms: 1e14 });
    await wrapper.settled();
    await wrapper.next('an answer', ({ type }) => type === 'ack' || type === 'error');
    // Whatever the object took over from it is in D1 after this.
    await jobObject(who.job).reconcile();
    expect((await call('GET', '/runs')).status).toBe(200);
    expect((await call('GET', '/jobs')).status).toBe(200);
  });

  test('of events are continued by a cursor', async () => {
    const who = newIdentity('list-events');
    const wrapper = await TestWrapper.connect(who);
    await postKill(who.job);
    await wrapper.kill();
    await indexed(who.run);
    const first = await (await call('GET', `/runs/${who.run}/events?limit=3`)).json<{
      events: { type: string }[];
      next_cursor: string;
    }>();
    const rest = await (await call('GET', `/runs/${who.run}/events?cursor=${first.next_cursor}`)).json<{
      events: { type: string }[];
      next_cursor: null;
    }>();
    expect([...first.events, ...rest.events].map(({ type }) => type)).toEqual([
      'started',
      'connected',
      'kill_requested',
      'kill_sent',
    ]);
    expect(rest.next_cursor).toBeNull();
  });
});

test('/healthz needs no token, and says the version', async () => {
  expect(await (await request('/healthz')).json()).toEqual({ status: 'ok', version });
});

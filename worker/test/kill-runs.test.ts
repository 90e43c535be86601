/** `POST /kills` by runs: exactly these, wherever they run, stored together and pushed job by job. */
import { runInDurableObject } from 'cloudflare:test';
import { ulid } from 'ulid';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Kill } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { JobObject } from '../durable/job/job-object.ts';
import { sweep } from '../src/sweep.ts';
import { call, newToken, refusal } from './support/api.ts';
import { indexed, indexedState } from './support/d1.ts';
import { env } from './support/env.ts';
import { index, indexedRun } from './support/indexed-runs.ts';
import { jobObject, withFault } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function connected(job: string, machine = 'web1'): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job, machine));
  await indexed(wrapper.identity.run);
  return wrapper;
}

const runOf = ({ identity }: TestWrapper) => identity.run;

interface Options {
  readonly token?: string;
  readonly query?: string;
  readonly key?: string;
}

function post(body: unknown, { token, query = '', key }: Options = {}): Promise<Response> {
  return call('POST', `/kills${query}`, {
    body,
    ...(token !== undefined && { token }),
    ...(key !== undefined && { headers: { 'Idempotency-Key': key } }),
  });
}

async function postKills(body: unknown, options: Options = {}): Promise<{ status: number; kills: Kill[] }> {
  const response = await post(body, options);
  const { kills } = await response.json<{ kills: Kill[] }>();
  return { status: response.status, kills };
}

/** How many kills, audit entries and keys there are. */
async function stored(): Promise<number[]> {
  const row = await env.DB.prepare(
    `SELECT (SELECT count(*) FROM kills) AS kills, (SELECT count(*) FROM audit WHERE action = 'kill') AS audits,
       (SELECT count(*) FROM idempotency) AS keys`,
  ).first<{ kills: number; audits: number; keys: number }>();
  return row === null ? [] : [row.kills, row.audits, row.keys];
}

describe('a kill of runs', () => {
  test('creates one kill for each, in order, and reaches them and no others', async () => {
    const [a1, a2, a3, b1] = await Promise.all([
      connected('runs-a', 'web1'),
      connected('runs-a', 'web2'),
      connected('runs-a', 'web3'),
      connected('runs-b'),
    ]);
    const runs = [b1, a3, a1].map(runOf);
    const { status, kills } = await postKills({ runs, reason: 'picked', signal: 'SIGINT', grace_seconds: 2 });
    expect(status).toBe(202);
    expect(kills).toMatchObject(
      runs.map((run) => ({
        run,
        instance: null,
        machine: null,
        state: 'queued',
        reason: 'picked',
        signal: 'SIGINT',
        grace_ms: 2000,
        targets: [{ run, state: 'sent' }],
      })),
    );
    expect(kills.map(({ job }) => job)).toEqual(['runs-b', 'runs-a', 'runs-a']);
    expect((await b1.kill()).kill).toBe(kills[0]?.id);
    expect((await a3.kill()).kill).toBe(kills[1]?.id);
    expect((await a1.kill()).kill).toBe(kills[2]?.id);
    await a2.settled();
    expect(a2.of('kill')).toEqual([]);
  });

  test('does not match what its jobs run later', async () => {
    const one = await connected('runs-later');
    await postKills({ runs: [runOf(one)] });
    const late = await TestWrapper.connect(newIdentity('runs-later'), { age_ms: 60_000 });
    await late.settled();
    expect(late.of('kill')).toEqual([]);
  });

  test.each([
    { runs: [] },
    { runs: 'all' },
    { runs: ['x'] },
    { runs: ['01M82PTB40WMEYKY30XERGEN0N', '01M82PTB40WMEYKY30XERGEN0N'] },
    { runs: Array.from({ length: 501 }, () => ulid()) },
    { runs: ['01M82PTB40WMEYKY30XERGEN0N'], jobs: '*' },
    { runs: ['01M82PTB40WMEYKY30XERGEN0N'], machines: 'web1' },
    { runs: ['01M82PTB40WMEYKY30XERGEN0N'], instance: 'x' },
  ])('is refused when it is none: %o', async (body) => {
    expect(await refusal(post(body))).toBe('400 bad_request');
  });

  test('of which one is unknown is refused with its id, and nothing is stored', async () => {
    const wrapper = await connected('runs-unknown');
    const before = await stored();
    const missing = Array.from({ length: 7 }, () => ulid());
    const response = await post({ runs: [runOf(wrapper), ...missing] }, { key: 'unknown' });
    expect(response.status).toBe(404);
    const { code, detail } = await response.json<{ code: string; detail: string }>();
    expect(code).toBe('unknown_run');
    for (const run of missing.slice(0, 5)) expect(detail).toContain(run);
    expect(detail).toContain('and 2 more');
    expect(detail).not.toContain(runOf(wrapper));
    expect(await stored()).toEqual(before);
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
  });

  test('of a job that the token is not for is refused as unknown, and nothing is stored', async () => {
    const [mine, theirs] = await Promise.all([connected('runs-mine'), connected('runs-theirs')]);
    const { secret } = await newToken({ name: 'mine', scopes: ['kill'], jobs: '*-mine' });
    const before = await stored();
    const refused = await post({ runs: [mine, theirs].map(runOf) }, { token: secret });
    const nobodys = await post({ runs: [runOf(mine), ulid()] }, { token: secret });
    const [detail, other] = await Promise.all(
      [refused, nobodys].map(async (response) => (await response.json<{ detail: string }>()).detail),
    );
    expect([refused.status, nobodys.status]).toEqual([404, 404]);
    // By nothing but the id can one tell it from a run that never was.
    const withoutIds = (text = '') => text.replaceAll(/[0-9A-Z]{26}/g, 'ID');
    expect(withoutIds(detail)).toBe(withoutIds(other));
    expect(detail).not.toContain('runs-theirs');
    expect(await stored()).toEqual(before);
    expect((await postKills({ runs: [runOf(mine)] }, { token: secret })).kills).toMatchObject([{ job: 'runs-mine' }]);
    await mine.kill();
    await theirs.settled();
    expect(theirs.of('kill')).toEqual([]);
  });

  test('needs the scope kill', async () => {
    const wrapper = await connected('runs-scope');
    const { secret } = await newToken({ name: 'reader', scopes: ['read', 'run'] });
    expect(await refusal(post({ runs: [runOf(wrapper)] }, { token: secret }))).toBe('403 forbidden');
  });

  test('refuses those that had ended, and is settled at once', async () => {
    const [live, over] = await Promise.all([connected('runs-over', 'web1'), connected('runs-over', 'web2')]);
    await over.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    await waitFor('D1 to know the end', async () => (await indexedState(runOf(over))) === 'succeeded');
    const { status, kills } = await postKills({ runs: [over, live].map(runOf) });
    expect(status).toBe(202);
    expect(kills).toMatchObject([
      { state: 'settled', targets: [{ state: 'refused', exit_code: 0 }] },
      { state: 'queued', targets: [{ state: 'sent' }] },
    ]);
    expect((await postKills({ runs: [runOf(over)] })).status).toBe(200);
  });

  test('returns when all are settled, with `wait`', async () => {
    const wrappers = await Promise.all([connected('runs-wait'), connected('runs-wait-too')]);
    const waiting = postKills({ runs: wrappers.map(runOf) }, { query: '?wait=20' });
    await Promise.all(
      wrappers.map(async (wrapper) => {
        const { kill } = await wrapper.kill();
        wrapper.killing(kill, 'gone');
        await wrapper.completed();
      }),
    );
    const { status, kills } = await waiting;
    expect(status).toBe(200);
    expect(kills.map(({ run, state, targets }) => [run, state, targets[0]?.exit_code])).toEqual(
      wrappers.map((wrapper) => [runOf(wrapper), 'settled', 143]),
    );
  });

  test('repeated with its key returns the same kills in the same order, even if a run was purged by then', async () => {
    const wrappers = await Promise.all(Array.from({ length: 5 }, () => connected('runs-key')));
    const runs = wrappers.map(runOf);
    const first = await postKills({ runs }, { key: 'runs-1' });
    const before = await stored();
    const ids = first.kills.map(({ id }) => id);
    expect((await postKills({ runs }, { key: 'runs-1' })).kills.map(({ id }) => id)).toEqual(ids);
    await env.DB.prepare('DELETE FROM runs WHERE id = ?').bind(runs[0]).run();
    expect((await postKills({ runs }, { key: 'runs-1' })).kills.map(({ id }) => id)).toEqual(ids);
    expect(await stored()).toEqual(before);
    expect(await refusal(post({ runs: runs.slice(1) }, { key: 'runs-1' }))).toBe('422 idempotency_conflict');
    expect(await refusal(post({ runs: [ulid()] }, { key: 'runs-1' }))).toBe('422 idempotency_conflict');
    expect(await refusal(post({ jobs: 'runs-key' }, { key: 'runs-1' }))).toBe('422 idempotency_conflict');
    for (const wrapper of wrappers) {
      await wrapper.settled();
      expect(wrapper.of('kill')).toHaveLength(1);
    }
  });

  test('stores all of its kills with their audit entries and its key, or none', async () => {
    // More than one statement takes.
    const runs = Array.from({ length: 250 }, () => indexedRun(Date.now(), null, { job: 'runs-atomic' }));
    await index(runs);
    const body = { runs: runs.map(({ id }) => id) };
    const before = await stored();
    await env.DB.exec(
      `CREATE TRIGGER last_fails BEFORE INSERT ON audit WHEN new.detail LIKE '%${body.runs.at(-1)}%' BEGIN SELECT RAISE(ABORT, 'no'); END`,
    );
    expect(await refusal(post(body, { key: 'atomic' }))).toBe('500 internal');
    expect(await stored()).toEqual(before);
    await env.DB.exec('DROP TRIGGER last_fails');
    const { kills } = await postKills(body, { key: 'atomic' });
    expect(kills.map(({ run }) => run)).toEqual(body.runs);
    expect(await stored()).toEqual(before.map((count, index) => count + (index === 2 ? 1 : 250)));
    const { results } = await env.DB.prepare(
      "SELECT detail FROM audit WHERE subject = 'runs-atomic' ORDER BY seq",
    ).all<{
      detail: string;
    }>();
    expect(results.map(({ detail }) => JSON.parse(detail))).toMatchObject(
      kills.map(({ id, run }) => ({ kill: id, run })),
    );
  });

  test('reaches many runs of one job by one call of its object, before D1 is written again', async () => {
    const COUNT = 40;
    const wrappers = await Promise.all(
      Array.from({ length: COUNT }, (_, number) => connected('runs-fan', `web${number}`)),
    );
    const pushed = vi.spyOn(JobObject.prototype, 'acceptKills');
    await env.DB.exec(
      "CREATE TRIGGER no_news BEFORE UPDATE ON kills WHEN old.job = 'runs-fan' BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    const { kills } = await postKills({ runs: wrappers.map(runOf) });
    expect(pushed).toHaveBeenCalledTimes(1);
    expect(kills.map(({ targets }) => targets[0]?.state)).toEqual(wrappers.map(() => 'sent'));
    for (const [number, wrapper] of wrappers.entries()) {
      const { kill } = await wrapper.kill();
      expect(kill).toBe(kills[number]?.id);
      // Unanswered, it would be sent again, and what is counted below would be the object's patience.
      wrapper.killing(kill, 'term');
    }
    // Called again, as after an answer that was lost.
    const again = await jobObject('runs-fan').acceptKills(kills);
    expect(again.map(({ id }) => id)).toEqual(kills.map(({ id }) => id));
    await Promise.all(wrappers.map((wrapper) => wrapper.settled()));
    const latest = await Promise.all(kills.map(({ id }) => jobObject('runs-fan').kill(id)));
    expect(latest.map((kill) => kill?.state)).toEqual(wrappers.map(() => 'delivered'));
    expect(wrappers.map((wrapper) => wrapper.of('kill').length)).toEqual(wrappers.map(() => 1));
    await env.DB.exec('DROP TRIGGER no_news');
  });

  test('that cannot be delivered at once is in the queue, and the sweep delivers it', async () => {
    const wrapper = await connected('runs-push');
    await runInDurableObject(jobObject('runs-push'), (object) => {
      object.acceptKills = () => {
        throw new Error('down');
      };
    });
    const { status, kills } = await postKills({ runs: [runOf(wrapper)] });
    expect([status, kills[0]?.state]).toEqual([202, 'queued']);
    await sweep(env);
    expect((await wrapper.kill()).kill).toBe(kills[0]?.id);
  });

  test('of which the object rejects one reaches the others at once, and that one by the sweep', async () => {
    const [one, two, three] = await Promise.all([
      connected('runs-fault', 'web1'),
      connected('runs-fault', 'web2'),
      connected('runs-fault', 'web3'),
    ]);
    const fault = `INSERT ON targets WHEN new.run = '${runOf(two)}'`;
    await withFault('runs-fault', fault, async () => {
      const { kills } = await postKills({ runs: [one, two, three].map(runOf) });
      expect(kills.map(({ targets }) => targets.map(({ state }) => state))).toEqual([['sent'], [], ['sent']]);
      await Promise.all([one.kill(), three.kill()]);
    });
    // They were sent before they were stored; that one again, now that it can be.
    await sweep(env);
    await waitFor('it to be sent again', () => two.of('kill').length === 2);
    await Promise.all([one, three].map((wrapper) => wrapper.settled()));
    expect([one, two, three].map((wrapper) => wrapper.of('kill').length)).toEqual([1, 2, 1]);
  });
});

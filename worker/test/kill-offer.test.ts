/** A kill is offered to its job's object and to D1 at once: what comes of it while one of them is away, or late. */
import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import type { Kill } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { JobObject } from '../durable/job/job-object.ts';
import { sweep } from '../src/sweep.ts';
import { call, getKill, newToken, postKill, refusal, signedIn } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { hanging, indexed, rejecting, withD1, withoutPatience } from './support/d1.ts';
import { env } from './support/env.ts';
import { ObservedGateway } from './support/gateway.ts';
import { eventTypes, jobObject, withFault, withoutObject } from './support/objects.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

useFakeDate();

interface Options {
  readonly token?: string;
  readonly key?: string;
  readonly body?: unknown;
}

function kill(job: string, { token, key, body = {} }: Options = {}): Promise<Response> {
  const headers: Record<string, string> = key === undefined ? {} : { 'Idempotency-Key': key };
  return call('POST', `/jobs/${job}/kill`, { body, headers, ...(token !== undefined && { token }) });
}

async function killed(response: Response | Promise<Response>): Promise<Kill> {
  const answered = await response;
  expect(answered.status).toBe(202);
  return (await answered.json<{ kill: Kill }>()).kill;
}

async function connected(job: string): Promise<TestWrapper> {
  const who = newIdentity(job);
  const wrapper = await TestWrapper.connect(who);
  await indexed(who.run);
  return wrapper;
}

interface InD1 {
  readonly kills: string[];
  readonly audits: number;
  readonly keys: string[];
}

/** What D1 has of a job's kills. */
async function inD1(job: string): Promise<InD1> {
  const kills = await env.DB.prepare('SELECT id FROM kills WHERE job = ?').bind(job).all<{ id: string }>();
  const keys = await env.DB.prepare('SELECT kill FROM idempotency WHERE kill IN (SELECT id FROM kills WHERE job = ?)')
    .bind(job)
    .all<{ kill: string }>();
  const audits = await env.DB.prepare("SELECT count(*) AS n FROM audit WHERE action = 'kill' AND subject = ?")
    .bind(job)
    .first<{ n: number }>();
  return {
    kills: kills.results.map(({ id }) => id),
    audits: audits?.n ?? 0,
    keys: keys.results.map(({ kill }) => kill),
  };
}

/** Has the object send what D1 lacks. */
async function mirrored(job: string, id: string): Promise<void> {
  await waitFor('D1 to have the kill', async () => {
    await pass(job, 5_001);
    const row = await env.DB.prepare('SELECT 1 FROM kills WHERE id = ? AND accepted = 1').bind(id).first();
    return row !== null;
  });
}

describe('while D1 is away', () => {
  test.each([
    ['rejects its calls', rejecting],
    ['hangs', hanging],
  ])(
    'and %s, a kill is taken by the object at once, and D1 gets it with its key and audit entry later',
    async (how, fault) => {
      const job = `offer-${fault.name}`;
      const wrapper = await connected(job);
      let id = '';
      await withD1(fault, async () => {
        const taken = await killed(kill(job, { key: `${job} ${how}`, body: { reason: 'no D1' } }));
        expect(taken).toMatchObject({ requested_by: 'admin', reason: 'no D1', targets: [{ state: 'sent' }] });
        id = taken.id;
        expect((await wrapper.kill()).kill).toBe(id);
        wrapper.killing(id, 'term');
        await wrapper.settled();
      });
      await mirrored(job, id);
      expect(await inD1(job)).toEqual({ kills: [id], audits: 1, keys: [id] });
      wrapper.killing(id, 'gone');
      await wrapper.completed();
      expect(await getKill(id)).toMatchObject({ state: 'settled' });
      await sweep(env);
      await wrapper.settled();
      expect(wrapper.of('kill')).toHaveLength(1);
    },
  );

  test.each([
    ['a job that the object does not know', 'offer-unknown', {}],
    ['a run that the object does not know', 'offer-known', { run: newIdentity('x').run }],
  ])('%s is for D1 to decide: 503, and nothing is stored', async (_what, job, body) => {
    await connected('offer-known');
    await withD1(rejecting, async () => {
      const response = await kill(job, { body });
      expect(response.headers.get('Retry-After')).toBe('5');
      expect(await refusal(response)).toBe('503 unavailable');
    });
    expect((await inD1(job)).kills).toEqual([]);
  });

  test('and the object as well, the call fails, and nothing was promised', async () => {
    const wrapper = await connected('offer-neither');
    await withoutObject('offer-neither', () =>
      withD1(rejecting, async () => expect(await refusal(kill('offer-neither'))).toBe('503 unavailable')),
    );
    await sweep(env);
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
  });

  test('a kill that the object can not store is not sent either', async () => {
    const wrapper = await connected('offer-fault');
    await withFault('offer-fault', 'INSERT ON targets', () =>
      withD1(rejecting, async () => expect(await refusal(kill('offer-fault'))).toBe('503 unavailable')),
    );
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
    expect(await eventTypes('offer-fault', wrapper.identity.run)).not.toContain('kill_requested');
  });

  test('and D1 hangs, what only D1 can decide is answered once its time is up', async () => {
    await withD1(hanging, () =>
      withoutPatience(async () => expect(await refusal(kill('offer-hangs'))).toBe('503 unavailable')),
    );
  });
});

describe('many runs while D1 is away', () => {
  const killMany = (body: unknown, key: string) =>
    call('POST', '/kills', { body, headers: { 'Idempotency-Key': key } });

  test('that are named with their jobs are killed by their objects, once', async () => {
    const [one, two] = [await connected('many-one'), await connected('many-two')];
    const runs = [two, one].map(({ identity: { job, run } }) => ({ job, run }));
    let ids: string[] = [];
    await withD1(rejecting, async () => {
      for (const _attempt of [1, 2]) {
        const response = await killMany({ runs }, 'many');
        expect(response.status).toBe(202);
        const { kills } = await response.json<{ kills: Kill[] }>();
        expect(kills.map(({ job, run }) => ({ job, run }))).toEqual(runs);
        if (ids.length > 0) expect(kills.map(({ id }) => id)).toEqual(ids);
        ids = kills.map(({ id }) => id);
      }
      await Promise.all([one.kill(), two.kill()]);
    });
    await mirrored('many-one', ids[1] ?? '');
    expect(await inD1('many-one')).toMatchObject({ kills: [ids[1]], audits: 1 });
  });

  test('of which an object knows only some are not all stored, and the response says so', async () => {
    const known = await connected('many-known');
    const runs = [
      { job: 'many-known', run: known.identity.run },
      { job: 'many-unknown', run: newIdentity('x').run },
    ];
    await withD1(rejecting, async () => {
      const response = await killMany({ runs }, 'some');
      expect(response.status).toBe(503);
      expect((await response.json<{ detail: string }>()).detail).toContain('1 of 2 kills are stored');
    });
  });

  test('that only the index knows are not', async () => {
    await withD1(rejecting, async () => {
      expect(await refusal(killMany({ jobs: '*' }, 'selector'))).toBe('503 unavailable');
      expect(await refusal(killMany({ runs: [newIdentity('x').run] }, 'bare'))).toBe('503 unavailable');
    });
  });
});

describe('a key', () => {
  test('gives the same kill whichever store answers, and another request with it none', async () => {
    const wrapper = await connected('offer-key');
    let id = '';
    await withD1(rejecting, async () => {
      ({ id } = await killed(kill('offer-key', { key: 'offer-key' })));
      expect((await killed(kill('offer-key', { key: 'offer-key' }))).id).toBe(id);
      expect(await refusal(kill('offer-key', { key: 'offer-key', body: { reason: 'other' } }))).toBe(
        '422 idempotency_conflict',
      );
    });
    wrapper.killing(id, 'term');
    await wrapper.settled();
    await mirrored('offer-key', id);
    await withoutObject('offer-key', async () => {
      expect((await killed(kill('offer-key', { key: 'offer-key' }))).id).toBe(id);
      expect(await refusal(kill('offer-key', { key: 'offer-key', body: { reason: 'other' } }))).toBe(
        '422 idempotency_conflict',
      );
    });
    await wrapper.settled();
    expect(wrapper.of('kill')).toHaveLength(1);
  });

  test('names the kill that the object took, when D1 has stored the repeated call before it knew', async () => {
    const wrapper = await connected('offer-twice');
    let id = '';
    await withD1(rejecting, async () => {
      ({ id } = await killed(kill('offer-twice', { key: 'offer-twice' })));
      wrapper.killing(id, 'term');
      await wrapper.settled();
    });
    // D1 is back, and the object has not sent the kill yet.
    expect((await killed(kill('offer-twice', { key: 'offer-twice' }))).id).toBe(id);
    await waitFor('D1 to have stored the repeated call', async () => {
      const { kills } = await inD1('offer-twice');
      return kills.some((other) => other !== id);
    });
    await sweep(env);
    await mirrored('offer-twice', id);
    await waitFor('D1 to have the one kill', async () => {
      const { kills, keys } = await inD1('offer-twice');
      return kills.length === 1 && kills[0] === id && keys[0] === id;
    });
    expect(wrapper.of('kill').map((message) => message.kill)).toEqual([id]);
  });

  test('is known to the object when only D1 had the kill at first', async () => {
    await connected('offer-drained');
    let id = '';
    await withoutObject('offer-drained', async () => {
      ({ id } = await killed(kill('offer-drained', { key: 'offer-drained' })));
    });
    await sweep(env);
    await withD1(rejecting, async () => {
      expect((await killed(kill('offer-drained', { key: 'offer-drained' }))).id).toBe(id);
    });
  });

  test('is forgotten after a day', async () => {
    await connected('offer-day');
    const { id } = await postKill('offer-day', {}, { 'Idempotency-Key': 'offer-day' });
    await pass('offer-day', 24 * 60 * 60 * 1000 + 1);
    await withD1(rejecting, async () => {
      expect((await killed(kill('offer-day', { key: 'offer-day' }))).id).not.toBe(id);
    });
  });
});

describe('a token', () => {
  const TRUST_MS = Number(env.TOKEN_TRUST_MS);

  /** A token that the job's object has seen confirmed. */
  async function trusted(job: string, scope: 'kill' | 'admin' = 'kill') {
    const made = await newToken({ name: 'operator', scopes: [scope] });
    await killed(kill(job, { token: made.secret }));
    await waitFor('the object to be registered', () =>
      env.DB.prepare('SELECT 1 FROM open_sockets WHERE token = ?').bind(made.token.id).first(),
    );
    await waitFor('the object to know', () =>
      runInDurableObject(
        jobObject(job),
        (_object, { storage }) =>
          storage.sql
            .exec('SELECT 1 FROM credentials WHERE token = ? AND confirmed_at IS NOT NULL', made.token.id)
            .toArray().length > 0,
      ),
    );
    return made;
  }

  async function whileAway(job: string, token: string): Promise<string | 202> {
    let outcome: string | 202 = 202;
    await withD1(rejecting, async () => {
      const response = await kill(job, { token });
      outcome = response.status === 202 ? 202 : await refusal(response);
    });
    return outcome;
  }

  test('that D1 has confirmed a short while ago kills without D1, by its name', async () => {
    await connected('trust-known');
    const { token, secret } = await trusted('trust-known');
    let id = '';
    await withD1(rejecting, async () => {
      const taken = await killed(kill('trust-known', { token: secret }));
      expect(taken.requested_by).toBe('operator');
      id = taken.id;
    });
    await mirrored('trust-known', id);
    const entry = await env.DB.prepare("SELECT actor, actor_name FROM audit WHERE detail ->> '$.kill' = ?")
      .bind(id)
      .first();
    expect(entry).toEqual({ actor: token.id, actor_name: 'operator' });
  });

  test('that the object does not know, or not any more, needs D1', async () => {
    await connected('trust-unknown');
    const { secret: unseen } = await newToken({ name: 'unseen', scopes: ['kill'] });
    expect(await whileAway('trust-unknown', unseen)).toBe('503 unavailable');
    const { secret } = await trusted('trust-unknown');
    await pass('trust-unknown', TRUST_MS + 1);
    expect(await whileAway('trust-unknown', secret)).toBe('503 unavailable');
    // D1 confirms it again.
    const { id } = await killed(kill('trust-unknown', { token: secret }));
    await waitFor('the object to have the kill', () => jobObject('trust-unknown').kill(id));
    expect(await whileAway('trust-unknown', secret)).toBe(202);
  });

  test('kills only what it may, with the object as with D1', async () => {
    const wrapper = await connected('trust-scope');
    const { secret: reader } = await newToken({ name: 'reader', scopes: ['read'] });
    expect(await refusal(kill('trust-scope', { token: reader }))).toBe('403 forbidden');
    const machine = await newToken({ name: 'machine', scopes: ['run'] });
    await TestWrapper.connect(newIdentity('trust-scope'), {}, machine.secret);
    expect(await whileAway('trust-scope', machine.secret)).toBe('503 unavailable');
    const { secret: other } = await newToken({ name: 'other', scopes: ['kill'], jobs: 'else-*' });
    expect(await refusal(kill('trust-scope', { token: other }))).toBe('403 forbidden');
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
  });

  test('that is revoked kills nothing from then on, whether D1 answers or not', async () => {
    const wrapper = await connected('trust-revoked');
    const { token, secret } = await trusted('trust-revoked');
    expect((await call('DELETE', `/tokens/${token.id}`)).status).toBe(204);
    expect(await whileAway('trust-revoked', secret)).toBe('503 unavailable');
    expect(await refusal(kill('trust-revoked', { token: secret }))).toBe('401 unauthenticated');
    await wrapper.settled();
    expect(wrapper.of('kill')).toHaveLength(1);
  });

  test('of which something has ended is not trusted until D1 has said what', async () => {
    await connected('trust-suspended');
    const { token, secret } = await trusted('trust-suspended');
    await withD1(rejecting, async () => {
      await jobObject('trust-suspended').checkCredentials(token.id);
      expect(await refusal(kill('trust-suspended', { token: secret }))).toBe('503 unavailable');
    });
    await jobObject('trust-suspended').checkCredentials(token.id);
    expect(await whileAway('trust-suspended', secret)).toBe(202);
  });

  test('is not trusted because of what D1 had answered before its end', async () => {
    await connected('trust-late');
    const { token, secret } = await trusted('trust-late');
    const gateway = await ObservedGateway.observe('sockets', 'registerSockets');
    gateway.hold();
    const early = jobObject('trust-late').checkCredentials(token.id);
    await waitFor('D1 to have answered', () => gateway.queries.length === 1);
    const revoking = call('DELETE', `/tokens/${token.id}`);
    await waitFor('the object to have been told', () => gateway.calls === 2);
    const outcomes: string[] = [];
    await withD1(rejecting, async () => void outcomes.push(await refusal(kill('trust-late', { token: secret }))));
    gateway.release();
    await Promise.all([early, revoking]);
    outcomes.push(String(await whileAway('trust-late', secret)));
    expect(outcomes).toEqual(['503 unavailable', '503 unavailable']);
  });

  test('of a dashboard that watches the job kills without D1, until it signs out', async () => {
    const { secret } = await newToken({ name: 'page', scopes: ['kill', 'read'] });
    await connected('trust-page');
    const page = await signedIn(secret);
    await TestViewer.watchAs('/jobs/trust-page/watch', page);
    const asPage = () => call('POST', '/jobs/trust-page/kill', { body: {}, headers: page, token: '' });
    await waitFor('the object to know', () =>
      runInDurableObject(
        jobObject('trust-page'),
        (_object, { storage }) =>
          storage.sql.exec("SELECT 1 FROM credentials WHERE session <> '' AND confirmed_at IS NOT NULL").toArray()
            .length > 0,
      ),
    );
    await withD1(rejecting, async () => void (await killed(asPage())));
    await call('DELETE', '/session', { headers: page, token: '' });
    await withD1(rejecting, async () => expect(await refusal(asPage())).toBe('503 unavailable'));
  });
});

test('a kill that D1 has is sent although the object can not store it yet', async () => {
  const wrapper = await connected('offer-first');
  await withFault('offer-first', 'INSERT ON targets', async () => {
    const { id } = await killed(kill('offer-first'));
    expect((await wrapper.kill()).kill).toBe(id);
  });
});

test('an object that takes long does not hold up a kill that D1 has', async () => {
  const wrapper = await connected('offer-slow');
  const { offerKills } = JobObject.prototype;
  let isSlow = true;
  vi.spyOn(JobObject.prototype, 'offerKills').mockImplementation(async function (
    this: JobObject,
    offer: Parameters<typeof offerKills>[0],
  ) {
    while (isSlow) await scheduler.wait(5);
    return offerKills.call(this, offer);
  } as unknown as typeof offerKills);
  await withoutPatience(async () => {
    const { id, state } = await killed(kill('offer-slow'));
    expect(state).toBe('queued');
    expect((await inD1('offer-slow')).kills).toEqual([id]);
    expect(wrapper.of('kill')).toEqual([]);
    isSlow = false;
    expect((await wrapper.kill()).kill).toBe(id);
  });
  vi.mocked(JobObject.prototype.offerKills).mockRestore();
});

test('an object that has yet to store a kill does not hold up the response: the targets are known before', async () => {
  const wrapper = await connected('offer-foreseen');
  const { secret } = await newToken({ name: 'first time', scopes: ['kill'] });
  const { acceptKills } = JobObject.prototype;
  let isSlow = true;
  vi.spyOn(JobObject.prototype, 'acceptKills').mockImplementation(async function (
    this: JobObject,
    ...given: Parameters<typeof acceptKills>
  ) {
    while (isSlow) await scheduler.wait(5);
    return acceptKills.call(this, ...given);
  } as unknown as typeof acceptKills);
  const { id, targets } = await killed(kill('offer-foreseen', { token: secret }));
  expect(await jobObject('offer-foreseen').kill(id)).toBeNull();
  expect((await inD1('offer-foreseen')).kills).toEqual([id]);
  isSlow = false;
  expect((await wrapper.kill()).kill).toBe(id);
  vi.mocked(JobObject.prototype.acceptKills).mockRestore();
  await waitFor('the object to have the kill', () => jobObject('offer-foreseen').kill(id));
  const [stored] = (await jobObject('offer-foreseen').kill(id))?.targets ?? [];
  expect(targets).toEqual([{ ...stored, state: 'pending', timing: null }]);
});

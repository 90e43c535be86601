import { afterEach, describe, expect, test, vi } from 'vitest';
import { TimeoutError } from '#shared/with-timeout';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { BatchLoader } from '../durable/d1-gateway/batch-loader.ts';
import { latestChanges } from '../durable/d1-gateway/latest-changes.ts';
import { admitEveryone } from './support/admission.ts';
import { call, newToken, postKill, refusal, request } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { indexed, indexedState } from './support/d1.ts';
import { env } from './support/env.ts';
import { ObservedGateway } from './support/gateway.ts';
import { restart, run } from './support/objects.ts';
import { type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const WRAPPERS = IS_PROOF ? 500 : 200;
const JOBS = IS_PROOF ? 50 : 20;

async function machineToken(): Promise<{ id: string; secret: string }> {
  const { token, secret } = await newToken({ name: 'machines', scopes: ['run'] });
  return { id: token.id, secret };
}

function crowd(name: string): Identity[] {
  return Array.from({ length: WRAPPERS }, (_, index) => newIdentity(`${name}-${index % JOBS}`, `m${index}`));
}

async function indexedRuns(name: string): Promise<number> {
  const query = env.DB.prepare('SELECT count(*) AS runs FROM runs WHERE job GLOB ?').bind(`${name}-*`);
  return (await query.first<{ runs: number }>())?.runs ?? 0;
}

async function stored(id: string): Promise<boolean> {
  return (await env.DB.prepare('SELECT 1 FROM kills WHERE id = ?').bind(id).first()) !== null;
}

describe('a thundering herd', () => {
  test('costs D1 a few queries, however many connect at once, and a kill waits for none of them', async () => {
    admitEveryone();
    const tokens = [await machineToken(), await machineToken()];
    const signIn = await ObservedGateway.observe('sign-in', 'signIn');
    const queue = await ObservedGateway.observe('queue', 'unacceptedKills');
    const changes = await ObservedGateway.observe('changes', 'commit');
    for (const gateway of [signIn, queue, changes]) gateway.hold();

    const who = crowd('hour');
    const connecting = who.map((each, index) => TestWrapper.connect(each, {}, tokens[index % 2]?.secret));
    await waitFor('everyone to be at the door', () => signIn.calls === WRAPPERS);
    expect(signIn.queries).toHaveLength(1);
    signIn.release();
    const wrappers = await Promise.all(connecting);
    // Those who came while the first was asked for went together, each token once.
    expect(signIn.queries.length).toBe(2);
    expect(JSON.parse(String(signIn.queries[1]?.[0]))).toHaveLength(2);

    await waitFor('every object to ask for its queue', () => queue.calls === JOBS);
    expect(queue.queries).toHaveLength(1);
    await waitFor('every object to have something to tell', () => changes.calls === JOBS);
    expect(changes.queries).toHaveLength(1);

    // The outbox and the queue are held back; a kill is stored and delivered all the same.
    const victim = wrappers.at(-1);
    if (victim === undefined) throw new Error('nobody is there');
    const kill = await postKill(victim.identity.job, { run: victim.identity.run });
    expect(await stored(kill.id)).toBe(true);
    expect((await victim.kill()).kill).toBe(kill.id);

    queue.release();
    changes.release();
    await waitFor('D1 to know every run', async () => (await indexedRuns('hour')) === WRAPPERS);
    // The last for the job that found the kill there, and looks for more.
    expect(queue.queries.length).toBeLessThanOrEqual(3);
    // At best one for each hundred runs, and one for the first that came.
    expect(changes.queries.length).toBeLessThan(WRAPPERS / 20);
  });

  test('lets nobody in by a token that was revoked before the call began', async () => {
    const { id, secret } = await machineToken();
    const gateway = await ObservedGateway.observe('sign-in', 'signIn');
    gateway.hold();
    const before = TestWrapper.connect(newIdentity('hour-revoked'), {}, secret);
    // D1 has answered that the token is there; the answer is still under way.
    await waitFor('the first to be asked for', () => gateway.queries.length === 1);
    await call('DELETE', `/tokens/${id}`);
    const after = refusal(
      request('/api/v1/jobs/hour-revoked/watch', {
        headers: { Authorization: `Bearer ${secret}`, Upgrade: 'websocket' },
      }),
    );
    await waitFor('the second to be at the door', () => gateway.calls === 2);
    gateway.release();
    await before;
    expect(await after).toBe('401 unauthenticated');
  });

  test('lets viewers in by their session, and not after its end', async () => {
    const { secret } = await newToken({ name: 'page', scopes: ['read'] });
    const signedIn = await request('/api/v1/session', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: 'https://leash.test' },
      body: JSON.stringify({ token: secret }),
    });
    const cookie = signedIn.headers.get('Set-Cookie')?.split(';')[0] ?? '';
    const watch = () =>
      request('/api/v1/watch', {
        headers: {
          Cookie: cookie,
          Origin: 'https://leash.test',
          Upgrade: 'websocket',
          'Sec-WebSocket-Protocol': 'leash.watch.v1',
        },
      });
    const response = await watch();
    expect(response.status).toBe(101);
    response.webSocket?.accept();
    await env.DB.prepare('DELETE FROM sessions').run();
    expect(await refusal(watch())).toBe('401 unauthenticated');
  });

  test('asks who connects to come again when D1 is away', async () => {
    const { secret } = await machineToken();
    await env.DB.exec('ALTER TABLE tokens RENAME TO tokens_away');
    try {
      const connecting = request('/api/v1/jobs/hour-away/watch', {
        headers: { Authorization: `Bearer ${secret}`, Upgrade: 'websocket' },
      });
      expect(await refusal(connecting)).toBe('503 unavailable');
    } finally {
      await env.DB.exec('ALTER TABLE tokens_away RENAME TO tokens');
    }
  });
});

describe('the outbox of many', () => {
  useFakeDate();

  test('is not stopped by what D1 refuses of one', async () => {
    const [healthy, broken] = [newIdentity('hour-healthy'), newIdentity('hour-broken')];
    const first = newIdentity('hour-first');
    const gateway = await ObservedGateway.observe('changes', 'commit');
    await env.DB.exec(
      "CREATE TRIGGER fault BEFORE INSERT ON runs WHEN NEW.job = 'hour-broken' BEGIN SELECT RAISE(ABORT, 'fault'); END",
    );
    try {
      gateway.hold();
      await TestWrapper.connect(first);
      await waitFor('a batch to be under way', () => gateway.calls === 1);
      await Promise.all([TestWrapper.connect(broken), TestWrapper.connect(healthy)]);
      await waitFor('both to wait for the next', () => gateway.calls === 3);
      gateway.release();
      await indexed(healthy.run);
      expect(await indexedState(broken.run)).toBeUndefined();
    } finally {
      await env.DB.exec('DROP TRIGGER fault');
    }
    await pass(broken.job, 5_001);
    await indexed(broken.run);
  });

  test('writes each run to D1 once, in its latest state', async () => {
    const who = newIdentity('hour-latest');
    await TestWrapper.connect(who);
    const older = await run(who.job, who.run);
    await restart(who.job);
    const newer = await run(who.job, who.run);
    if (older === null || newer === null) throw new Error('the run is not known');
    const job = who.job;
    const nothingElse = {
      kills: [],
      expectations: [],
      removedRuns: [],
      removedExpectations: [],
      overdueRuns: [],
      removedKills: [],
      taken: [],
    };
    const changes = [newer, older].map((each) => ({ job, runs: [each], ...nothingElse }));
    expect(latestChanges(changes)).toEqual({ jobs: [job], runs: [newer], ...nothingElse });
  });
});

describe('a coalescer', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('asks for no more at once than is heavy enough, but for one question that is too heavy alone', async () => {
    const asked: number[][] = [];
    const coalescer = new BatchLoader<number, number>({
      name: 'the test',
      maxWeight: 10,
      weigh: (question) => question,
      loadBatch: async (questions) => {
        asked.push([...questions]);
        return questions.map((question) => -question);
      },
    });
    const answers = await Promise.all([1, 4, 6, 1, 20, 3].map((question) => coalescer.load(question)));
    expect(answers).toEqual([-1, -4, -6, -1, -20, -3]);
    expect(asked).toEqual([[1], [4, 6], [1], [20], [3]]);
  });

  test('gives up a query that is not answered, with all who wait behind it, and then asks again', async () => {
    vi.useFakeTimers();
    let isAway = true;
    const coalescer = new BatchLoader<number, number>({
      name: 'the test',
      maxWeight: 1,
      weigh: () => 1,
      loadBatch: (questions) => (isAway ? new Promise(() => {}) : Promise.resolve(questions)),
    });
    const outcomes = Promise.allSettled([coalescer.load(1), coalescer.load(2)]);
    await vi.advanceTimersByTimeAsync(15_000);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(TimeoutError) });
    }
    isAway = false;
    expect(await coalescer.load(3)).toBe(3);
  });

  test('continues for the others after a request without a weight, as from an older deployment', async () => {
    const coalescer = new BatchLoader<number[], number>({
      name: 'the test',
      maxWeight: 10,
      weigh: ({ length }) => length,
      loadBatch: async (questions) => questions.map(({ length }) => length),
    });
    await expect(coalescer.load(undefined as unknown as number[])).rejects.toThrow(TypeError);
    expect(await coalescer.load([1])).toBe(1);
  });

  test('does not ask for each alone when D1 is away', async () => {
    let queries = 0;
    const coalescer = new BatchLoader<number, number>({
      name: 'the test',
      maxWeight: 10,
      weigh: () => 1,
      loadBatch: () => {
        queries += 1;
        return Promise.reject(new Error('D1_ERROR: D1 DB is overloaded. Requests queued for too long.'));
      },
    });
    await Promise.allSettled([1, 2, 3, 4, 5].map((question) => coalescer.load(question)));
    expect(queries).toBe(2);
  });
});

import { ulid } from 'ulid';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import type { KillState } from '#protocol/kill';
import { unacceptedKills } from '../shared/d1/kill-queue.ts';
import { type KillFilter, listKills } from '../shared/d1/kills.ts';
import { aKill, call, newToken, postKill, refusal } from './support/api.ts';
import { env } from './support/env.ts';
import { rowsRead } from './support/indexed-runs.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const START = Date.parse('2026-06-01T00:00:00Z');

async function store(kills: readonly Kill[]): Promise<void> {
  for (let from = 0; from < kills.length; from += 1_000) {
    await env.DB.prepare(
      `INSERT INTO kills (id, job, requested_at, accepted, resource)
       SELECT value ->> 'id', value ->> 'job', 1, 1, value FROM json_each(?)`,
    )
      .bind(JSON.stringify(kills.slice(from, from + 1_000)))
      .run();
  }
}

function stored(number: number, job: string, state: KillState): Kill {
  return { ...aKill(job), id: ulid(START + number), state };
}

interface Page {
  readonly kills: Kill[];
  readonly next_cursor: string | null;
}

async function page(query: string, token?: string): Promise<Page> {
  return (await call('GET', `/kills?${query}`, { ...(token !== undefined && { token }) })).json<Page>();
}

describe('GET /kills', () => {
  const STATES = ['settled', 'expired', 'queued', 'delivered', 'settled'] as const;
  const kills = Array.from({ length: 10 }, (_, number) =>
    stored(number, number < 6 ? 'listed-a' : 'listed-b', STATES[number % STATES.length] ?? 'settled'),
  );
  const newestFirst = (which: (kill: Kill) => boolean) =>
    kills
      .filter(which)
      .map(({ id }) => id)
      .reverse();

  beforeAll(() => store(kills));

  const all = async (query: string, token?: string): Promise<string[]> => {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { kills: found, next_cursor }: Page = await page(
        `limit=2&${query}${cursor === '' ? '' : `&cursor=${cursor}`}`,
        token,
      );
      ids.push(...found.map(({ id }) => id));
      cursor = next_cursor;
    }
    return ids;
  };

  test('lists kills newest first, of one job or all, in one state or several, page by page', async () => {
    expect(await all('')).toEqual(newestFirst(() => true));
    expect(await all('job=listed-a')).toEqual(newestFirst(({ job }) => job === 'listed-a'));
    expect(await all('state=expired')).toEqual(newestFirst(({ state }) => state === 'expired'));
    expect(await all('state=queued,delivered')).toEqual(
      newestFirst(({ state }) => state === 'queued' || state === 'delivered'),
    );
    expect(await all('state=delivered&job=listed-b')).toEqual(
      newestFirst(({ state, job }) => state === 'delivered' && job === 'listed-b'),
    );
    expect(await all('job=nobody')).toEqual([]);
  });

  test('shows a token the kills of its jobs only', async () => {
    const { secret } = await newToken({ name: 'b', scopes: ['read'], jobs: '*-b' });
    expect(await all('', secret)).toEqual(newestFirst(({ job }) => job === 'listed-b'));
    expect(await all('state=queued,delivered', secret)).toEqual(
      newestFirst(({ job, state }) => job === 'listed-b' && (state === 'queued' || state === 'delivered')),
    );
    expect(await all('job=listed-a', secret)).toEqual([]);
  });

  test.each(['state=running', 'state=', 'state=queued,', 'job=a/b', 'limit=501'])('refuses %s', async (query) => {
    expect(await refusal(call('GET', `/kills?${query}`))).toBe('400 bad_request');
  });

  test('refuses a cursor of another list', async () => {
    expect(await refusal(call('GET', '/kills?cursor=1-2'))).toBe('400 bad_cursor');
  });

  test('shows a kill with its targets', async () => {
    const who = newIdentity('listed-kill');
    await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    const { kills: found } = await page(`job=${who.job}`);
    expect(found.map((kill) => kill.id)).toEqual([id]);
  });
});

test('a page of very large kills ends early, and the next one continues', async () => {
  // It is the size that counts, wherever it is.
  const large = Array.from({ length: 5 }, (_, number) => ({
    ...stored(number, 'large', 'settled'),
    requested_by: 'x'.repeat(1_500_000),
  }));
  // One at a time: a value of D1 has at most 2 MB.
  for (const kill of large) await store([kill]);
  const expected = large.map(({ id }) => id).reverse();
  const first = await page('job=large');
  expect(first.kills.length).toBeGreaterThan(1);
  expect(first.kills.length).toBeLessThan(5);
  expect(first.next_cursor).toBe(first.kills.at(-1)?.id);
  const second = await page(`job=large&cursor=${first.next_cursor}`);
  expect(second.next_cursor).toBeNull();
  expect([...first.kills, ...second.kills].map(({ id }) => id)).toEqual(expected);
});

describe('of thousands of kills few are read', () => {
  beforeAll(() =>
    store(
      Array.from({ length: 10_000 }, (_, number) =>
        stored(number, `few-${number % 50}`, number % 1_000 === 0 ? 'delivered' : 'settled'),
      ),
    ),
  );

  test.each<[what: string, filter: KillFilter, atMost: number]>([
    ['for the newest', { jobGlob: '*' }, 600],
    ['for the newest of a job', { jobGlob: '*', job: 'few-7' }, 600],
    ['for those that are open', { jobGlob: '*', states: ['queued', 'delivered'] }, 150],
  ])('%s', async (_what, filter, atMost) => {
    expect(await rowsRead((db) => listKills(db, filter, 100))).toBeLessThan(atMost);
  });

  test('for kills in the queue', async () => {
    const waiting = aKill('few-7');
    await env.DB.prepare('INSERT INTO kills (id, job, requested_at, resource) VALUES (?, ?, 1, ?)')
      .bind(waiting.id, waiting.job, JSON.stringify(waiting))
      .run();
    const read = await rowsRead(async (db) => {
      expect(await unacceptedKills(db, [{ job: 'few-7', after: '' }])).toMatchObject([[{ id: waiting.id }]]);
    });
    expect(read).toBeLessThan(10);
  });
});

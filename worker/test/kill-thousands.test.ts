/** Kills by selector of more jobs than one call can push to. Without the thousands of objects: those are tested elsewhere. */
import { ulid } from 'ulid';
import { expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import { type NewKills, storeKills } from '../shared/d1/new-kills.ts';
import { deliverAll } from '../src/kills/deliver.ts';
import { call, postKill, refusal } from './support/api.ts';
import { env } from './support/env.ts';

/** Four bytes a character: with this, and with all the globs, kills are as large as they get. */
const LONG_REASON = '\u{1f415}'.repeat(250);
const LONG_SELECTOR = Array.from({ length: 20 }, () => 'x'.repeat(128)).join(',');

async function newKills(prefix: string, count: number): Promise<Kill[]> {
  const template = await postKill(prefix, { instance: 'nobody', reason: LONG_REASON, machine: LONG_SELECTOR });
  return Array.from({ length: count }, (_, index) => ({ ...template, id: ulid(), job: `${prefix}${index}` }));
}

const tester = { kind: 'known', caller: { id: 'tester', name: 'tester', jobs: '*' } } as const;

async function store(kills: readonly Kill[], key: NewKills['key'] = null): Promise<boolean> {
  const made = kills.map((kill) => ({
    kill,
    audit: {
      id: ulid(),
      at: Date.parse(kill.requested_at),
      action: 'kill' as const,
      subject: kill.job,
      detail: { kill: kill.id, reason: kill.reason },
      address: null,
      requestId: ulid(),
    },
  }));
  return (await storeKills(env.DB, { kills: made, batch: ulid(), key }, tester, 'batch')).isStored;
}

async function stored(prefix: string): Promise<{ kills: number; audits: number }> {
  const row = await env.DB.prepare(
    `SELECT (SELECT count(*) FROM kills WHERE job GLOB ?1) AS kills,
       (SELECT count(*) FROM audit WHERE subject GLOB ?1) AS audits`,
  )
    .bind(`${prefix}*`)
    .first<{ kills: number; audits: number }>();
  if (row === null) throw new Error('a count has a row');
  return row;
}

test('thousands of kills are stored whole, with all that is kept of them', async () => {
  const kills = await newKills('many-', 3_000);
  expect(await store(kills)).toBe(true);
  expect(await stored('many-?')).toEqual({ kills: 3_000, audits: 3_000 });
  const last = kills.at(-1);
  const row = await env.DB.prepare('SELECT job, requested_at, accepted, resource FROM kills WHERE id = ?')
    .bind(last?.id ?? '')
    .first<{ resource: string }>();
  expect(row).toMatchObject({ job: last?.job, requested_at: Date.parse(last?.requested_at ?? ''), accepted: 0 });
  expect(JSON.parse(row?.resource ?? '')).toEqual({ ...last, requested_by: 'tester' });
  const audit = await env.DB.prepare('SELECT * FROM audit WHERE subject = ?')
    .bind(last?.job ?? '')
    .first<{ detail: string }>();
  expect(audit).toMatchObject({ actor: 'tester', action: 'kill', address: null });
  expect(JSON.parse(audit?.detail ?? '')).toEqual({ kill: last?.id, reason: LONG_REASON });
});

test('a batch that fails halfway stores nothing', async () => {
  const kills = await newKills('half-', 300);
  // Breaks the last statement.
  await env.DB.exec(
    "CREATE TRIGGER fault BEFORE INSERT ON kills WHEN new.job = 'half-299' BEGIN SELECT RAISE(ABORT, 'fault'); END",
  );
  await expect(store(kills, { key: 'half', fingerprint: 'x' })).rejects.toThrow('fault');
  await env.DB.exec('DROP TRIGGER fault');
  expect(await stored('half-?')).toEqual({ kills: 0, audits: 0 });
  expect(await env.DB.prepare("SELECT 1 FROM idempotency WHERE key = 'half'").first()).toBeNull();
});

test('as many are pushed as one call may, some at once, and none is left out of the answer', async () => {
  const kills = await newKills('push-', 1_000);
  let [now, atOnce, all] = [0, 0, 0];
  const answered = await deliverAll(kills, async (_job, ofJob) => {
    all += 1;
    now += 1;
    atOnce = Math.max(atOnce, now);
    await scheduler.wait(0);
    now -= 1;
    return ofJob.map((kill) => ({ ...kill, state: 'delivered' }));
  });
  expect([all, atOnce]).toEqual([400, 50]);
  expect(answered.map(({ id }) => id)).toEqual(kills.map(({ id }) => id));
  expect(answered.map(({ state }) => state).lastIndexOf('delivered')).toBe(399);
});

test('more jobs than one call may stop are refused, and nothing is stored', async () => {
  await env.DB.exec(
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10001) INSERT INTO runs (id, job, machine, state, final, started_at, indexed_at, seq, resource) SELECT n, 'toomany-' || n, 'web1', 'running', 0, 1, 1, 1, '{}' FROM numbers",
  );
  expect(await refusal(call('POST', '/kills', { body: { jobs: 'toomany-*' } }))).toBe('400 bad_request');
  expect(await stored('toomany-')).toEqual({ kills: 0, audits: 0 });
});

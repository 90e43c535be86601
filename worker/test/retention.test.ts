/** How long things are kept: runs, events and kills by their job's object, and D1 after it. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { ulid } from 'ulid';
import { describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { commitChanges } from '../shared/rpc/d1-gateway.ts';
import { sweep } from '../src/sweep.ts';
import { aKill, call, postKill, refusal } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { indexed, indexedState, without } from './support/d1.ts';
import { env } from './support/env.ts';
import {
  deadlines,
  disconnected,
  eventTypes,
  hibernate,
  jobObject,
  nextAlarm,
  restart,
  run,
} from './support/objects.ts';
import { indexOverdue, overdueRun } from './support/overdue-runs.ts';
import { outputRows, query, sums, tables } from './support/storage.ts';
import { sayAlive, TestViewer } from './support/viewer.ts';
import { EXITED, type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

async function ended(who: Identity): Promise<void> {
  const wrapper = await TestWrapper.connect(who);
  wrapper.print(0, 'hello');
  await wrapper.acked(5);
  await wrapper.completed({ ...EXITED, final_offset: 5 });
  await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'succeeded');
  wrapper.close();
  await waitFor('the socket to be gone', () => isAlone(who.job));
}

function isAlone(job: string): Promise<boolean> {
  return runInDurableObject(jobObject(job), (_object, state) =>
    state.getWebSockets().every(({ readyState }) => readyState !== WebSocket.OPEN),
  );
}

/** Lets days pass, and rings the alarm until the daily look is over. */
async function passDays(job: string, days: number): Promise<number> {
  vi.setSystemTime(Date.now() + days * DAY_MS);
  for (let rings = 1; rings < 500; rings++) {
    await runDurableObjectAlarm(jobObject(job));
    const [next] = (await tables(job)).includes('deadlines')
      ? await query<{ due: number }>(job, "SELECT due_at AS due FROM deadlines WHERE kind = 'retain'")
      : [];
    if (next === undefined || next.due > Date.now() + 1_000) return rings;
    vi.setSystemTime(next.due);
  }
  throw new Error('the daily look does not end');
}

/** Nothing of the job is left in its object, though D1 has to be told first. */
async function cleared(job: string): Promise<void> {
  await waitFor('its storage to be empty', async () => {
    await pass(job, 5_001);
    return (await tables(job)).length === 0;
  });
}

async function count(table: string, condition: string, ...bindings: (string | number)[]): Promise<number> {
  const row = await env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${condition}`)
    .bind(...bindings)
    .first<{ n: number }>();
  return row?.n ?? 0;
}

describe('a run that ended', () => {
  useFakeDate();

  test('stays for its days, and then goes from its object and from D1 with all that belongs to it', async () => {
    const [who, later] = [newIdentity('keep-days'), newIdentity('keep-days')];
    await ended(who);
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { run: who.run });
    wrapper.close();
    await disconnectedSockets(who.job);
    await passDays(who.job, 30);
    await ended(later);
    await passDays(who.job, 59);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'succeeded' });
    expect(await outputRows(who.job, who.run)).toHaveLength(1);

    await hibernate(who.job);
    await passDays(who.job, 2);
    expect(await run(who.job, who.run)).toBeNull();
    expect(await run(who.job, later.run)).toMatchObject({ state: 'succeeded' });
    expect(await outputRows(who.job, who.run)).toEqual([]);
    for (const table of ['events', 'targets', 'output']) {
      expect(await query(who.job, `SELECT 1 FROM ${table} WHERE run = ?`, who.run)).toEqual([]);
    }
    expect(await query(who.job, 'SELECT 1 FROM kills')).toEqual([]);
    await waitFor('D1 to forget it', async () => (await indexedState(who.run)) === undefined);
    await waitFor('D1 to forget its kill', async () => (await count('kills', 'id = ?', id)) === 0);
    expect(await indexedState(later.run)).toBe('succeeded');
    expect(await refusal(call('GET', `/runs/${who.run}`))).toBe('404 unknown_run');
    expect(await refusal(call('GET', `/kills/${id}`))).toBe('404 unknown_kill');
    const { ofRuns, ofRows } = await sums(who.job);
    expect(ofRuns).toBe(ofRows);
  });

  test('does not come back in D1 by what the outbox had noted of it before', async () => {
    const [who, other] = [newIdentity('keep-stale'), newIdentity('keep-stale')];
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    await without(['runs'], async () => {
      await wrapper.completed(EXITED);
      wrapper.close();
      await disconnectedSockets(who.job);
      await passDays(who.job, 91);
      expect(await run(who.job, who.run)).toBeNull();
      await restart(who.job);
    });
    expect(await indexedState(who.run)).toBe('running');
    await pass(who.job, 5_001);
    await waitFor('D1 to forget it', async () => (await indexedState(who.run)) === undefined);
    await ended(other);
    expect(await indexedState(who.run)).toBeUndefined();
  });

  test('leaves a run of the same id at another job alone, in D1', async () => {
    const who = newIdentity('keep-same-one');
    await ended(who);
    await ended({ ...who, job: 'keep-same-two' });
    await passDays('keep-same-two', 91);
    await cleared('keep-same-two');
    expect(await count('runs', 'id = ? AND job = ?', who.run, 'keep-same-one')).toBe(1);
  });

  test('that came back afresh in D1 is not removed by a late word of the one before', async () => {
    const who = newIdentity('keep-late-word');
    await ended(who);
    await env.DB.prepare('UPDATE runs SET seq = 1000 WHERE id = ?').bind(who.run).run();
    const forgotten = (seq: number) => ({
      job: who.job,
      runs: [],
      kills: [],
      removedRuns: [{ id: who.run, seq }],
      removedKills: [],
    });
    await commitChanges(env, forgotten(999));
    expect(await indexedState(who.run)).toBe('succeeded');
    await commitChanges(env, forgotten(1_000));
    expect(await indexedState(who.run)).toBeUndefined();
  });

  test('goes in many small steps when there are many, or it has much', async () => {
    const job = 'keep-many';
    const who = newIdentity(job);
    await ended(who);
    await runInDurableObject(jobObject(job), (_object, { storage }) => {
      const { sql } = storage;
      const columns = sql
        .exec<{ name: string }>("SELECT name FROM pragma_table_info('runs') WHERE name NOT IN ('id', 'output_size')")
        .toArray()
        .map(({ name }) => name)
        .join(', ');
      for (let index = 0; index < 100; index++) {
        sql.exec(
          `INSERT INTO runs (id, output_size, ${columns}) SELECT ?, 0, ${columns} FROM runs WHERE id = ?`,
          ulid(),
          who.run,
        );
      }
      for (let index = 0; index < 1_200; index++) {
        sql.exec("INSERT INTO events (run, first, events) VALUES (?, ?, '[]')", who.run, 100 + index);
        sql.exec(
          'INSERT INTO output (run, start, "end", stream, bytes) VALUES (?, ?, ?, \'stdout\', ?)',
          who.run,
          5 + index,
          6 + index,
          new Uint8Array(1).buffer,
        );
      }
      sql.exec('UPDATE runs SET output_size = output_size + 1200 * 65, output_end = 1205 WHERE id = ?', who.run);
    });
    expect(await passDays(job, 91)).toBeGreaterThanOrEqual(10);
    await cleared(job);
  });

  test('goes with others in one step when each has little', async () => {
    const job = 'keep-little';
    for (let index = 0; index < 15; index++) await ended(newIdentity(job));
    expect(await passDays(job, 91)).toBe(1);
    expect(await query(job, 'SELECT 1 FROM runs')).toEqual([]);
    await cleared(job);
  });

  test('waits for a wrapper that is still sending of it', async () => {
    const who = newIdentity('keep-sending');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ ...EXITED, final_offset: 5 });
    await passDays(who.job, 91);
    wrapper.print(0, 'hello');
    await wrapper.acked(5);
    wrapper.close();
    await disconnectedSockets(who.job);
    await passDays(who.job, 1);
    await waitFor('it to be gone', async () => (await run(who.job, who.run)) === null);
  });
});

async function disconnectedSockets(job: string): Promise<void> {
  await waitFor('the sockets to be gone', () => isAlone(job));
}

describe('a run that has no end', () => {
  useFakeDate();

  test('stays while it is alive, but its old events go', async () => {
    const who = newIdentity('keep-alive');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    for (let month = 0; month < 4; month++) {
      await passDays(who.job, 29);
      wrapper.say({ type: 'alive' });
      await wrapper.settled();
      if (month === 2) expect(await eventTypes(who.job, who.run)).toContain('started');
    }
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    expect(await indexedState(who.run)).toBe('running');
    const types = await eventTypes(who.job, who.run);
    expect(types).not.toContain('started');
    expect(types).toContain('answered');
  });

  test('goes when it was lost and not heard of for its days, and comes back afresh if it returns after all', async () => {
    const who = newIdentity('keep-lost');
    const first = await TestWrapper.connect(who);
    first.print(0, 'hello');
    await first.acked(5);
    await indexed(who.run);
    first.close();
    await disconnected(who);
    await pass(who.job, 30_001);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost', final: false });
    const { id } = await postKill(who.job);
    await passDays(who.job, 89);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
    await waitFor('D1 to know that it is lost', async () => (await indexedState(who.run)) === 'lost');
    await without(['runs'], async () => {
      await passDays(who.job, 2);
      expect(await run(who.job, who.run)).toBeNull();
      expect(await jobObject(who.job).kill(id)).toBeNull();

      // D1 still has it as lost, with a higher `seq` than a new run begins with.
      const again = await TestWrapper.connect(who, { age_ms: 91 * DAY_MS, output: { from: 5, to: 9 } });
      expect(again.of('ack')[0]).toMatchObject({ of: 'start', offset: 0 });
      expect(again.of('kill')).toEqual([]);
      again.say({ type: 'gap', from: 0, to: 5 });
      again.print(5, 'tail');
      await again.acked(9);
    });
    await pass(who.job, 5_001);
    await waitFor('D1 to know that it runs', async () => (await indexedState(who.run)) === 'running');
    expect(await outputRows(who.job, who.run)).toEqual([
      { start: 0, end: 5, gap: 1 },
      { start: 5, end: 9, gap: 0 },
    ]);
    await passDays(who.job, 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', output_bytes: 9 });
  });
});

describe('a job', () => {
  useFakeDate();

  test('of which nothing is left leaves nothing behind, and begins afresh', async () => {
    const who = newIdentity('clear-all');
    await ended(who);
    // However lately it was so: the rest of the job has gone.
    await indexOverdue(overdueRun(who.job, Date.now() + 90 * DAY_MS), overdueRun('clear-other', Date.now()));
    const page = await TestViewer.watch('/watch');
    await passDays(who.job, 91);
    await cleared(who.job);
    expect(await count('overdue_runs', 'job = ?', who.job)).toBe(0);
    expect(await count('overdue_runs', 'job = ?', 'clear-other')).toBe(1);
    const { seq } = await page.next('run_removed', ({ run }) => run === who.run);
    expect(seq).toBeGreaterThan(0);
    // In this order: a page takes a job away only when it knows nothing of it any more.
    const told = page.messages.flatMap(({ type, ...message }) =>
      'job' in message && message.job === who.job ? [type] : [],
    );
    expect(told).toEqual(['run_removed', 'job_removed']);
    page.close();
    expect(await nextAlarm(who.job)).toBeNull();
    expect(await count('jobs', 'name = ?', who.job)).toBe(0);
    expect(await jobObject(who.job).run(who.run)).toBeNull();
    expect(await jobObject(who.job).events(who.run, 0, 10)).toEqual([]);
    expect(await jobObject(who.job).outputExtent(who.run)).toEqual({ end: 0, gaps: [] });
    expect(await jobObject(who.job).outputPage(who.run, 0, 10, 10)).toEqual({ parts: [] });
    expect(await refusal(call('POST', `/jobs/${who.job}/kill`, { body: {} }))).toBe('404 unknown_job');

    const next = newIdentity(who.job);
    await ended(next);
    expect(await run(who.job, next.run)).toMatchObject({ state: 'succeeded' });
    expect(await count('jobs', 'name = ?', who.job)).toBe(1);
    expect(await deadlines(who.job, 'retain')).toBe(1);
    expect(await nextAlarm(who.job)).not.toBeNull();
  });

  test('that someone watches keeps its tables until they leave', async () => {
    const who = newIdentity('clear-watched');
    await ended(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    vi.setSystemTime(Date.now() + 91 * DAY_MS);
    await sayAlive(jobObject(who.job), viewer);
    await passDays(who.job, 0);
    expect(await viewer.next('run_removed')).toMatchObject({ job: who.job, run: who.run });
    await waitFor('the run to be gone', async () => (await indexedState(who.run)) === undefined);
    await jobObject(who.job).reconcile();
    expect(await tables(who.job)).toContain('runs');
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    expect(await viewer.next('error')).toMatchObject({ code: 'unknown_run' });
    viewer.close();
    await cleared(who.job);
    const again = await TestViewer.watch(`/jobs/${who.job}/watch`);
    expect(await nextAlarm(who.job)).not.toBeNull();
    again.close();
  });

  test('stays while D1 does not know that its runs are gone, or is not there to forget it', async () => {
    const who = newIdentity('clear-d1-away');
    await ended(who);
    await without(['runs', 'jobs'], async () => {
      await passDays(who.job, 91);
      await jobObject(who.job).reconcile();
      expect(await tables(who.job)).toContain('tombstones');
    });
    await jobObject(who.job).reconcile();
    expect(await tables(who.job)).toEqual([]);
    expect(await indexedState(who.run)).toBeUndefined();
  });

  test('that a run comes to while D1 forgets it stays', async () => {
    const who = newIdentity('clear-race');
    await ended(who);
    const next = newIdentity(who.job);
    await passDays(who.job, 89);
    vi.setSystemTime(Date.now() + 2 * DAY_MS);
    const [, wrapper] = await Promise.all([runDurableObjectAlarm(jobObject(who.job)), TestWrapper.connect(next)]);
    wrapper.print(0, 'here');
    await wrapper.acked(4);
    await jobObject(who.job).reconcile();
    expect(await run(who.job, next.run)).toMatchObject({ state: 'running' });
    await waitFor('D1 to know it', async () => (await indexedState(next.run)) === 'running');
    expect(await count('jobs', 'name = ?', who.job)).toBe(1);
  });

  test('that a kill comes to at the last moment stays', async () => {
    const job = 'clear-last-moment';
    const who = newIdentity(job);
    await ended(who);
    await passDays(job, 91);
    const kill = aKill(job);
    const prepare = env.DB.prepare.bind(env.DB);
    await runInDurableObject(jobObject(job), async (object) => {
      const spy = vi.spyOn(env.DB, 'prepare').mockImplementation((sql) => {
        if (sql.startsWith('DELETE FROM jobs')) object.acceptKills([kill]);
        return prepare(sql);
      });
      await object.reconcile();
      expect(spy.mock.calls.some(([sql]) => sql.startsWith('DELETE FROM jobs'))).toBe(true);
      spy.mockRestore();
    });
    expect(await jobObject(job).kill(kill.id)).toMatchObject({ state: 'queued' });
  });

  test('keeps a command that still looks for runs when the one it had is gone', async () => {
    const who = newIdentity('keep-searching');
    const wrapper = await TestWrapper.connect(who);
    wrapper.close();
    await disconnected(who);
    await pass(who.job, 30_001);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
    await passDays(who.job, 89);
    vi.setSystemTime(Date.now() + DAY_MS - 60_000);
    const { id } = await postKill(who.job);
    await passDays(who.job, 1 / 24 / 20);
    expect(await run(who.job, who.run)).toBeNull();
    expect(await jobObject(who.job).kill(id)).toMatchObject({ targets: [] });
    await passDays(who.job, 91);
    expect(await jobObject(who.job).kill(id)).toBeNull();
  });

  test('that was only a kill for someone who never came is gone when the kill is', async () => {
    const { id } = await postKill('clear-kill', { instance: 'nobody' });
    expect(await tables('clear-kill')).toContain('kills');
    await passDays('clear-kill', 80);
    expect(await jobObject('clear-kill').kill(id)).toMatchObject({ state: 'expired' });
    await passDays('clear-kill', 11);
    await cleared('clear-kill');
    expect(await count('kills', 'id = ?', id)).toBe(0);
  });

  test('that never was leaves nothing behind when it is asked about, killed or watched', async () => {
    expect(await refusal(call('POST', '/jobs/clear-typo/kill', { body: {} }))).toBe('404 unknown_job');
    expect(await jobObject('clear-typo').hasRun(null)).toBe(false);
    expect(await jobObject('clear-typo').kill(ulid())).toBeNull();
    expect(await tables('clear-typo')).toEqual([]);
    const viewer = await TestViewer.watch('/jobs/clear-typo/watch');
    await hibernate('clear-typo');
    viewer.close();
    await cleared('clear-typo');
  });
});

describe('the sweep', () => {
  useFakeDate();

  test('forgets old audit entries, sessions and idempotency keys, however many, and no others', async () => {
    const now = Date.now();
    const audit = (at: number) =>
      env.DB.prepare(
        `INSERT INTO audit (id, at, last_at, count, actor, action, subject, detail, request_id)
         VALUES (?1, ?2, ?2, 1, 'a', 'kill', 's', '{}', 'r')`,
      ).bind(ulid(at), at);
    const session = (expiresAt: number) =>
      env.DB.prepare("INSERT INTO sessions (hash, token_hash, expires_at) VALUES (?, 't', ?)").bind(ulid(), expiresAt);
    const key = (at: number) =>
      env.DB.prepare(
        "INSERT INTO idempotency (actor, key, fingerprint, kill, created_at) VALUES ('a', ?, 'f', 'c', ?)",
      ).bind(ulid(), at);
    const many = Array.from({ length: 1_100 }, (_, index) => index);
    await env.DB.batch(many.map((index) => audit(now - 401 * DAY_MS + index)));
    await env.DB.batch(many.map(() => session(now - 1)));
    await env.DB.batch([
      audit(now - 399 * DAY_MS),
      session(now + DAY_MS),
      key(now - 1.1 * DAY_MS),
      key(now - 0.9 * DAY_MS),
    ]);
    await indexOverdue(...[91, 89].map((days) => overdueRun('sweep-overdue', now - days * DAY_MS)));
    await sweep(env);
    expect(await count('overdue_runs', 'job = ? AND ended_at = ?', 'sweep-overdue', now - 89 * DAY_MS)).toBe(1);
    expect(await count('overdue_runs', 'job = ?', 'sweep-overdue')).toBe(1);
    expect(await count('audit', "subject = 's'")).toBe(1);
    expect(await count('sessions', "token_hash = 't'")).toBe(1);
    expect(await count('idempotency', "fingerprint = 'f'")).toBe(1);
  });

  test('forgets what is left over in D1 of runs and kills that no object has any more', async () => {
    const who = newIdentity('sweep-left-over');
    await ended(who);
    const { id } = await postKill(who.job, { run: who.run });
    const live = newIdentity(who.job);
    await TestWrapper.connect(live);
    await indexed(live.run);
    await waitFor(
      'the kill to be settled',
      async () => (await count('kills', "id = ? AND resource ->> 'state' = 'settled'", id)) === 1,
    );
    vi.setSystemTime(Date.now() + 96 * DAY_MS);
    await sweepD1Only();
    expect(await indexedState(who.run)).toBe('succeeded');
    vi.setSystemTime(Date.now() + 2 * DAY_MS);
    await sweepD1Only();
    expect(await indexedState(who.run)).toBeUndefined();
    expect(await count('kills', 'id = ?', id)).toBe(0);
    expect(await indexedState(live.run)).toBe('running');
  });

  test('looks after every job in a week, also one whose alarm was lost', async () => {
    const who = newIdentity('sweep-idle');
    await ended(who);
    await query(who.job, 'DELETE FROM deadlines');
    await runInDurableObject(jobObject(who.job), (_object, { storage }) => storage.deleteAlarm());
    await hibernate(who.job);
    vi.setSystemTime(Date.now() + 6 * DAY_MS);
    await sweep(env);
    const checkedAt = () =>
      env.DB.prepare('SELECT checked_at FROM jobs WHERE name = ?').bind(who.job).first<number>('checked_at');
    expect(await checkedAt()).toBeLessThan(Date.now() - 5 * DAY_MS);
    vi.setSystemTime(Date.now() + 2 * DAY_MS);
    await sweep(env);
    expect(await checkedAt()).toBe(Date.now());
    expect(await deadlines(who.job, 'retain')).toBe(1);
    await sweep(env);
  });

  /** The sweep, without the objects: they would remove it themselves. */
  async function sweepD1Only(): Promise<void> {
    await env.DB.prepare('UPDATE jobs SET checked_at = ?').bind(Date.now()).run();
    await sweep(env);
  }
});

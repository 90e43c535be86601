import { listDurableObjectIds } from 'cloudflare:test';
import { ulid } from 'ulid';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { version } from '../../package.json';
import alerts from '../../self-hosting/prometheus-alerts.yml?raw';
import { countChanges } from '../shared/d1/counters.ts';
import { hopTimes, killHops } from '../shared/d1/kill-hops.ts';
import { METRIC_QUERIES } from '../shared/d1/metrics.ts';
import { indexRuns } from '../shared/d1/runs.ts';
import { prometheusText } from '../src/http/prometheus.ts';
import { newToken, postKill, refusal, request } from './support/api.ts';
import { at } from './support/clock.ts';
import { indexed, indexedState, queryPlan } from './support/d1.ts';
import { env } from './support/env.ts';
import { index, indexedRun } from './support/indexed-runs.ts';
import { jobObject, run } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

function scrape(token = env.LEASH_ADMIN_TOKEN): Promise<Response> {
  return request('/metrics', { headers: { Authorization: `Bearer ${token}` } });
}

async function samples(): Promise<Record<string, number>> {
  return parse(await (await scrape()).text());
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\n]|\\\\["\\\\n])*"';
const HELP = new RegExp(`^# HELP (${NAME}) (?:[^\\\\]|\\\\[\\\\n])*$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|[+-]Inf|NaN)$`);

/** The samples by name and labels. Strict: anything that the format does not know, or that stands twice, is an error. */
function parse(text: string): Record<string, number> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const found: Record<string, number> = {};
  const described = new Set<string>();
  let [family, type, helped] = ['', '', ''];
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help] = HELP.exec(line) ?? [];
    const [, typed, typeName] = TYPE.exec(line) ?? [];
    if (help !== undefined) {
      helped = help;
    } else if (typed !== undefined && typeName !== undefined) {
      if (typed !== helped || described.has(typed)) throw new Error(`out of order: ${line}`);
      described.add(typed);
      [family, type] = [typed, typeName];
    } else {
      const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
      if (name === undefined) throw new Error(`not of the format: ${line}`);
      const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => family + suffix) : [family];
      if (!names.includes(name)) throw new Error(`not of its family: ${line}`);
      if (type === 'counter' && !name.endsWith('_total')) throw new Error(`a counter ends in _total: ${line}`);
      if (name + labels in found) throw new Error(`twice: ${line}`);
      found[name + labels] = Number(value);
    }
  }
  return found;
}

async function inState(who: { run: string }, state: string): Promise<void> {
  await waitFor(`D1 to know that it is ${state}`, async () => (await indexedState(who.run)) === state);
}

describe('/metrics', () => {
  test('has what the example alerts ask for', async () => {
    const text = await (await scrape()).text();
    const names = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
    const wanted = [...alerts.matchAll(/\bleash_\w+/g)].map(([name]) => name);
    expect(wanted.length).toBeGreaterThan(5);
    expect(names).toEqual(expect.arrayContaining(wanted));
  });

  test('is in the text format, complete from the first scrape on', async () => {
    const response = await scrape();
    expect(response.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const all = parse(await response.text());
    expect(Object.keys(all)).toEqual(
      expect.arrayContaining([
        `leash_build_info{version="${version}"}`,
        'leash_runs{state="lost"}',
        'leash_runs_ended_total{state="errored"}',
        'leash_kills_total',
        'leash_kill_seconds_bucket{le="+Inf"}',
        'leash_kill_seconds_sum',
        'leash_kill_seconds_count',
        'leash_oldest_kill_age_seconds{waiting_for="end"}',
      ]),
    );
  });

  test('needs a token that may read all jobs', async () => {
    expect(await refusal(request('/metrics'))).toBe('401 unauthenticated');
    const some = await newToken({ name: 'some', scopes: ['read'], jobs: 'web-*' });
    expect(await refusal(scrape(some.secret))).toBe('403 forbidden');
    const killing = await newToken({ name: 'killing', scopes: ['kill', 'run'] });
    expect(await refusal(scrape(killing.secret))).toBe('403 forbidden');
    const reader = await newToken({ name: 'monitor', scopes: ['read'] });
    expect((await scrape(reader.secret)).status).toBe(200);
  });

  test('wakes no object', async () => {
    const before = await listDurableObjectIds(env.JOBS);
    await scrape();
    expect(await listDurableObjectIds(env.JOBS)).toEqual(before);
    expect(await listDurableObjectIds(env.FLEET)).toHaveLength(before.length === 0 ? 0 : 1);
  });

  test('has the live runs, and counts each end once, even if it is reported again or its row is purged', async () => {
    const before = await samples();
    const who = newIdentity('metrics-ends');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    expect((await samples())['leash_runs{state="running"}']).toBe((before['leash_runs{state="running"}'] ?? 0) + 1);
    await wrapper.completed({ exit_code: 3, command_exit_code: 3, signal: null, reason: 'exited', final_offset: 4 });
    await inState(who, 'failed');
    // What a mirror that is sent again does, and one of a later change that is no change of state.
    await env.DB.prepare('UPDATE runs SET seq = seq + 1 WHERE id = ?').bind(who.run).run();
    wrapper.print(0, 'late');
    await waitFor('the late output', async () => (await run(who.job, who.run))?.output_bytes === 4);
    await jobObject(who.job).reconcile();
    await env.DB.prepare('DELETE FROM runs WHERE id = ?').bind(who.run).run();
    const after = await samples();
    expect(after['leash_runs{state="running"}']).toBe(before['leash_runs{state="running"}']);
    expect(after['leash_runs_ended_total{state="failed"}']).toBe(
      (before['leash_runs_ended_total{state="failed"}'] ?? 0) + 1,
    );
  });

  test('counts a run whose wrapper died, and whose command may still run, for a day', async () => {
    const before = await samples();
    const rise = async (name: string) => ((await samples())[name] ?? 0) - (before[name] ?? 0);
    const who = newIdentity('metrics-lost');
    await TestWrapper.connect(who);
    await TestWrapper.connect(who, { phase: 'abandoned' });
    await inState(who, 'lost');
    expect(await run(who.job, who.run)).toMatchObject({ final: true, reason: 'wrapper_died' });
    expect(await rise('leash_runs{state="lost"}')).toBe(1);
    expect(await rise('leash_runs_ended_total{state="lost"}')).toBe(1);
    // Its own limit ended this one: nothing of it goes on.
    const ended = newIdentity('metrics-offline');
    const wrapper = await TestWrapper.connect(ended);
    await wrapper.completed({ exit_code: 253, reason: 'offline_limit' });
    await inState(ended, 'lost');
    expect(await rise('leash_runs{state="lost"}')).toBe(1);
    await env.DB.prepare('UPDATE runs SET ended_at = ? WHERE id = ?')
      .bind(Date.now() - 86_401_000, who.run)
      .run();
    expect(await rise('leash_runs{state="lost"}')).toBe(0);
  });

  test('counts an end that is the first report of a run to D1', async () => {
    const before = await samples();
    await index([indexedRun(Date.now() - 1_000, 1_000, { state: 'timed_out' })]);
    const name = 'leash_runs_ended_total{state="timed_out"}';
    expect((await samples())[name]).toBe((before[name] ?? 0) + 1);
  });

  test('counts kills, and how long each took to settle, once', async () => {
    const before = await samples();
    const who = newIdentity('metrics-kill');
    const wrapper = await TestWrapper.connect(who, { age_ms: 60_000 });
    const requestedAt = Date.now() - 20_000;
    const { id } = await at(requestedAt, () => postKill(who.job));
    await wrapper.kill();
    expect((await samples()).leash_kills_total).toBe((before.leash_kills_total ?? 0) + 1);
    wrapper.killing(id, 'gone');
    await wrapper.completed();
    const settled = () => env.DB.prepare("SELECT 1 FROM kills WHERE id = ? AND state = 'settled'").bind(id).first();
    await waitFor('D1 to know that it is settled', settled);
    await env.DB.prepare('UPDATE kills SET seq = seq + 1 WHERE id = ?').bind(id).run();
    const after = await samples();
    const rise = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
    expect(rise('leash_kill_seconds_count')).toBe(1);
    const seconds = rise('leash_kill_seconds_sum');
    expect(seconds).toBeGreaterThanOrEqual(20);
    expect(seconds).toBeLessThanOrEqual((Date.now() - requestedAt) / 1_000);
    for (const le of ['0.1', '10', '30', '60', '300', '+Inf']) {
      const isWithin = seconds <= Number(le.replace('+Inf', 'Infinity'));
      expect([le, rise(`leash_kill_seconds_bucket{le="${le}"}`)]).toEqual([le, isWithin ? 1 : 0]);
    }
  });

  test('counts whatever one commit brings, in one row', async () => {
    const before = await samples();
    const ended = ['failed', 'failed', 'killed'] as const;
    const runs = ended.map((state) => indexedRun(Date.now() - 1_000, 1_000, { state, job: 'metrics-many' }));
    const [counted] = await env.DB.batch([countChanges(env.DB, runs, []), ...indexRuns(env.DB, runs)]);
    expect(counted?.meta.rows_written).toBe(1);
    const [again] = await env.DB.batch([countChanges(env.DB, runs, [])]);
    expect(again?.meta.rows_written).toBe(0);
    const after = await samples();
    const rise = (state: string) =>
      (after[`leash_runs_ended_total{state="${state}"}`] ?? 0) -
      (before[`leash_runs_ended_total{state="${state}"}`] ?? 0);
    expect([rise('failed'), rise('killed'), rise('succeeded')]).toEqual([2, 1, 0]);
  });

  test('leaves a kill that came too late out of the histogram', async () => {
    const who = newIdentity('metrics-late');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed();
    const before = await samples();
    const { id } = await postKill(who.job, { run: who.run });
    const settled = () => env.DB.prepare("SELECT 1 FROM kills WHERE id = ? AND state = 'settled'").bind(id).first();
    await waitFor('D1 to know that it is settled', settled);
    expect((await samples()).leash_kill_seconds_count).toBe(before.leash_kill_seconds_count);
  });

  test('has the age of the oldest kill that waits for its object, and for its end', async () => {
    const begunAt = Date.now();
    const insert = (id: string, accepted: number, ageMs: number, state: string) =>
      env.DB.prepare('INSERT INTO kills (id, job, requested_at, accepted, resource) VALUES (?, ?, ?, ?, ?)')
        .bind(id, 'metrics-age', Date.now() - ageMs, accepted, JSON.stringify({ state }))
        .run();
    await insert('age-1', 1, 3_600_000, 'settled');
    await insert('age-2', 1, 1_800_000, 'expired');
    await insert('age-3', 1, 120_000, 'delivered');
    await insert('age-4', 0, 60_000, 'queued');
    const all = await samples();
    const [forAcceptance, forEnd] = ['acceptance', 'end'].map(
      (what) => all[`leash_oldest_kill_age_seconds{waiting_for="${what}"}`],
    );
    expect(forAcceptance).toBeGreaterThanOrEqual(60);
    expect(forEnd).toBeGreaterThanOrEqual(120);
    const elapsed = (Date.now() - begunAt) / 1_000;
    expect([(forAcceptance ?? 0) - 60 <= elapsed, (forEnd ?? 0) - 120 <= elapsed]).toEqual([true, true]);
    await env.DB.prepare("DELETE FROM kills WHERE job = 'metrics-age'").run();
  });

  test('has how long recent kills took to each machine, hop by hop', async () => {
    const insert = (ageMs: number, stored: number | null, targets: object[]) =>
      env.DB.prepare('INSERT INTO kills (id, job, requested_at, accepted, resource) VALUES (?, ?, ?, 1, ?)')
        .bind(
          ulid(Date.now() - ageMs),
          'metrics-hops',
          Date.now() - ageMs,
          JSON.stringify({ state: 'settled', stored_ms: stored, targets }),
        )
        .run();
    const target = (machine: string, sent: number, gone: number | null) => ({
      machine,
      timing: { sent_ms: sent, received_ms: sent + 1, first_signal_ms: null, last_process_gone_ms: gone },
    });
    for (let nth = 1; nth <= 100; nth++) await insert(nth, nth / 2, [target('hops-1', nth, nth === 1 ? 5_000 : null)]);
    await insert(1, null, [target('hops-2', 7, null), { machine: 'hops-old', timing: null }, { machine: 'hops-old' }]);
    await insert(86_400_001, 1, [target('hops-yesterday', 1, 1)]);
    const all = await samples();
    const hops = Object.entries(all).filter(([name]) => name.includes('machine="hops-'));
    const series = (machine: string, hop: string, quantile: string) =>
      `leash_kill_hop_seconds{machine="${machine}",hop="${hop}",quantile="${quantile}"}`;
    expect(Object.fromEntries(hops)).toEqual({
      [series('hops-1', 'stored', '0.5')]: 0.025,
      [series('hops-1', 'stored', '0.99')]: 0.0495,
      [series('hops-1', 'sent', '0.5')]: 0.05,
      [series('hops-1', 'sent', '0.99')]: 0.099,
      [series('hops-1', 'received', '0.5')]: 0.051,
      [series('hops-1', 'received', '0.99')]: 0.1,
      [series('hops-1', 'gone', '0.5')]: 5,
      [series('hops-1', 'gone', '0.99')]: 5,
      [series('hops-2', 'sent', '0.5')]: 0.007,
      [series('hops-2', 'sent', '0.99')]: 0.007,
      [series('hops-2', 'received', '0.5')]: 0.008,
      [series('hops-2', 'received', '0.99')]: 0.008,
    });
    await env.DB.prepare("DELETE FROM kills WHERE job = 'metrics-hops'").run();
  });

  test('has hops of a limited number of machines and kills, those with the most and the newest', () => {
    const row = (machine: string) => ({
      machine,
      stored: 1,
      sent: null,
      received: null,
      first_signal: null,
      gone: null,
    });
    const rows = Array.from({ length: 150 }, (_, nth) => Array.from({ length: nth + 1 }, () => row(`m${nth}`))).flat();
    const machines = hopTimes(rows).map(({ machine }) => machine);
    expect([machines.length, machines[0], machines.at(-1)]).toEqual([100, 'm149', 'm50']);
  });

  test('reads the newest kills only for their hops', async () => {
    const steps = (await queryPlan((db) => killHops(db, Date.now()))).join('\n');
    expect(steps).toContain('SEARCH kills USING PRIMARY KEY (id>?)');
    expect(steps).not.toMatch(/SCAN kills|TEMP B-TREE/);
  });

  test.each(Object.entries(METRIC_QUERIES))('reads %s without a scan of runs or kills', async (_name, query) => {
    const steps = (await queryPlan((db) => db.prepare(query))).filter((step) => /SCAN|SEARCH/.test(step));
    expect(steps.length).toBeGreaterThan(0);
    for (const step of steps)
      expect(step).toMatch(
        /counters|json_each|USING (COVERING )?INDEX (runs|kills|expectations)_(open|lost|unaccepted|broken)/,
      );
  });
});

test('labels and help texts are escaped', () => {
  const metric = {
    name: 'x',
    help: 'a\\b\nc',
    type: 'gauge',
    samples: [{ labels: { l: '"\\\n' }, value: 1 }],
  } as const;
  expect(prometheusText([metric])).toBe('# HELP x a\\\\b\\nc\n# TYPE x gauge\nx{l="\\"\\\\\\n"} 1\n');
});

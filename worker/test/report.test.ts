import { beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import type { Expectation, ExpectationState } from '#protocol/expectations';
import type { Finding, Report } from '#protocol/report';
import { IS_PROOF } from '#testing/seed';
import { upsertExpectations } from '../shared/d1/expectations.ts';
import { buildReport } from '../src/report/build-report.ts';
import { call, newToken, refusal } from './support/api.ts';
import { env } from './support/env.ts';
import { index, indexedRun, rowsRead } from './support/indexed-runs.ts';
import { indexOverdue, overdueRun } from './support/overdue-runs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The end of the night. */
const NOW = Date.parse('2026-11-01T07:00:00Z');
const NIGHT = { jobGlob: '*', since: NOW - 12 * HOUR, until: NOW };

let names = 0;
/** A job of its own for each test. */
const newJob = () => `night-${++names}`;

async function report(jobGlob: string, scope: Partial<typeof NIGHT> = {}): Promise<Report> {
  return buildReport(env.DB, { ...NIGHT, jobGlob, ...scope });
}

async function findings(job: string): Promise<Finding[]> {
  const { jobs } = await report(job);
  return jobs.flatMap((each) => each.findings);
}

const at = (time: number) => new Date(time).toISOString();

const EXPECTATION: Expectation = {
  job: '',
  machine: null,
  every_ms: HOUR,
  schedule: null,
  time_zone: null,
  late_after_ms: null,
  slow_after_ms: null,
  source: 'run',
  state: 'ok',
  since: at(NOW),
  due_at: at(NOW),
  last_started_at: null,
  last_run: null,
  last_run_skipped: false,
  problem: null,
  seq: 1,
};

const FAILED = { state: 'failed', exit_code: 3, command_exit_code: 3 } as const;

/** Runs of the days before, each as long as the others. */
function history(job: string, count: number, tookMs: number, fields: Partial<Run> = {}): Run[] {
  return Array.from({ length: count }, (_, nth) =>
    indexedRun(NOW - (nth + 1) * DAY - HOUR, tookMs + nth, { job, ...fields }),
  );
}

describe('a report finds', () => {
  test('what ended badly in the period, the newest run first, and not what did before or after', async () => {
    const job = newJob();
    const bad = [3, 2, 1].map((hours) => indexedRun(NOW - hours * HOUR, MINUTE, { job, ...FAILED }));
    await index([
      ...bad,
      indexedRun(NOW - 13 * HOUR, MINUTE, { job, ...FAILED }),
      indexedRun(NOW + MINUTE, MINUTE, { job, ...FAILED }),
      indexedRun(NOW - HOUR, MINUTE, { job, machine: 'web2' }),
    ]);
    expect(await findings(job)).toEqual([
      expect.objectContaining({
        kind: 'failed',
        count: 3,
        machines: ['web1'],
        machine_count: 1,
        first_at: bad[0]?.ended_at,
        last_at: bad[2]?.ended_at,
        is_over: false,
        run: expect.objectContaining({ id: bad[2]?.id, exit_code: 3 }),
      }),
    ]);
  });

  test('each way to end badly as its own, the worst first', async () => {
    const job = newJob();
    const states = ['lost', 'skipped', 'timed_out', 'errored', 'failed'] as const;
    await index(states.map((state, nth) => indexedRun(NOW - (nth + 1) * HOUR, MINUTE, { job, state })));
    await index([indexedRun(NOW - 9 * HOUR, MINUTE, { job, machine: 'away', state: 'lost', final: false })]);
    const found = await findings(job);
    expect(found.map(({ kind, count }) => `${count} ${kind}`)).toEqual([
      '1 failed',
      '1 errored',
      '1 timed_out',
      '2 lost',
      '1 skipped',
    ]);
  });

  test('that a job has recovered, once it has ended well on each machine on which it failed', async () => {
    const job = newJob();
    const fail = (machine: string) => indexedRun(NOW - 3 * HOUR, MINUTE, { job, machine, ...FAILED });
    const good = (machine: string) => indexedRun(NOW - HOUR, MINUTE, { job, machine });
    const [first, second] = [fail('web1'), fail('web2')];
    await index([first, second, good('web1')]);
    expect(await findings(job)).toMatchObject([{ is_over: false, machine_count: 2, run: { id: second.id } }]);
    await index([good('web2')]);
    expect(await findings(job)).toMatchObject([{ is_over: true }]);
  });

  test('what runs have left running, but not what they have only met', async () => {
    const [job, other] = [newJob(), newJob()];
    const left = { pid: 7, command_line: 'sleep 900' };
    const ran = indexedRun(NOW - HOUR, MINUTE, { job, left_running: [left] });
    const relation = { parent: null, kept: false };
    await index([ran, indexedRun(NOW - HOUR, MINUTE, { job: other, left_running: [{ ...left, relation }] })]);
    expect(await findings(job)).toMatchObject([{ kind: 'leftovers', is_over: false, run: { id: ran.id } }]);
    expect(await findings(other)).toEqual([]);
  });

  test('nothing that was left running once it has ended', async () => {
    const job = newJob();
    const ran = indexedRun(NOW - HOUR, MINUTE, { job, left_running: [{ pid: 7, command_line: 'sleep 900' }] });
    await index([ran]);
    await index([{ ...ran, left_running: [], seq: 2 }]);
    expect(await findings(job)).toEqual([]);
  });

  test('what a run is about, from its job’s newest run', async () => {
    const job = newJob();
    const about = { tags: ['nightly'], owner: 'data team', runbook: 'https://wiki.example.com/x', note: null };
    await index([indexedRun(NOW - HOUR, MINUTE, { job, ...FAILED })]);
    await env.DB.prepare('INSERT INTO job_abouts (job, about, run) VALUES (?, ?, ?)')
      .bind(job, JSON.stringify(about), 'x')
      .run();
    expect((await report(job)).jobs).toMatchObject([{ job, about }]);
  });

  test('what is late or missed now, whenever that began, and nothing that is fine', async () => {
    const job = newJob();
    const expectation = (machine: string | null, state: ExpectationState, since: number) => ({
      ...EXPECTATION,
      job,
      machine,
      state,
      since: at(since),
    });
    await upsertExpectations(env.DB, [
      expectation(null, 'late', NOW - HOUR),
      expectation('web1', 'missed', NOW - 3 * DAY),
      expectation('web2', 'ok', NOW - HOUR),
      expectation('web3', 'late', NOW + HOUR),
    ]).run();
    expect(await findings(job)).toMatchObject([
      { kind: 'missed', count: 1, machines: ['web1'], run: null, expectation: { every_ms: HOUR } },
      { kind: 'late', count: 1, machines: [], machine_count: 0, is_over: false },
    ]);
  });

  describe('what was late or missed', () => {
    test('and has come since, with the run that came, and what is late now before it', async () => {
      const [job, other] = [newJob(), newJob()];
      const came = indexedRun(NOW - HOUR, MINUTE, { job });
      await index([came]);
      const late = overdueRun(job, NOW - HOUR, { run: came.id, started_at: came.started_at });
      const missed = overdueRun(job, NOW - HOUR, { machine: null, state: 'missed', since: at(NOW - 3 * HOUR) });
      await indexOverdue(late, missed, overdueRun(other, NOW - HOUR));
      expect(await findings(job)).toMatchObject([
        { kind: 'missed', count: 1, machines: [], is_over: true, run: null, overdue: missed, expectation: null },
        { kind: 'late', count: 1, is_over: true, run: { id: came.id }, overdue: late, first_at: late.since },
      ]);
      const now = { machine: 'web2', state: 'late', since: at(NOW - 2 * HOUR), seq: 1 } as const;
      await upsertExpectations(env.DB, [{ ...EXPECTATION, job, ...now }]).run();
      expect(await findings(job)).toMatchObject([
        { kind: 'late', count: 2, machines: ['web2', 'web1'], is_over: false, run: null, overdue: null },
        { kind: 'missed', is_over: true },
      ]);
    });

    test('at some time of the period, whenever that began and ended', async () => {
      const job = newJob();
      const lasted = (machine: string, judged: number, ended: number) =>
        overdueRun(job, NOW - ended * HOUR, { machine, judged_at: at(NOW - judged * HOUR) });
      await indexOverdue(
        lasted('long-before', 20, 13),
        lasted('from-before', 20, 11),
        lasted('within', 5, 4),
        lasted('until-after', 2, -1),
        lasted('all-the-time', 30, -30),
        lasted('long-after', -1, -2),
      );
      const [found] = await findings(job);
      expect(found?.machines.toSorted()).toEqual(['all-the-time', 'from-before', 'until-after', 'within']);
    });
  });

  test('what was killed, by whom and why, and what survived it', async () => {
    const job = newJob();
    const runs = ['web1', 'web2', 'web3'].map((machine) =>
      indexedRun(NOW - HOUR, 30 * MINUTE, { job, machine, state: 'killed', exit_code: 143 }),
    );
    await index(runs);
    const target = (nth: number, fields: object = {}) => ({
      run: runs[nth]?.id,
      machine: runs[nth]?.machine,
      state: 'gone',
      exit_code: 143,
      survivors: [],
      unnamed_survivors: false,
      ...fields,
    });
    const id = `${runs[0]?.id.slice(0, 10)}0000000000000000`;
    const kill = {
      requested_by: 'night shift',
      reason: 'fills the disk',
      state: 'settled',
      targets: [target(0), target(1, { survivors: [9] }), target(2, { state: 'refused', exit_code: 0 })],
    };
    await env.DB.prepare('INSERT INTO kills (id, job, requested_at, resource) VALUES (?, ?, ?, ?)')
      .bind(id, job, NOW - HOUR, JSON.stringify(kill))
      .run();
    const order = { id, requested_by: 'night shift', reason: 'fills the disk' };
    expect(await findings(job)).toMatchObject([
      { kind: 'survivors', count: 1, machines: ['web2'], is_over: false, kill: order, run: { id: runs[1]?.id } },
      { kind: 'killed', count: 2, machines: ['web1', 'web2'], is_over: true, kill: order },
    ]);
  });
});

describe('a run is slow', () => {
  test('if it took twice as long as the median on its machine, and a minute longer', async () => {
    const job = newJob();
    const slow = indexedRun(NOW - 2 * HOUR, 11 * MINUTE, { job });
    await index([...history(job, 9, 5 * MINUTE), slow, indexedRun(NOW - HOUR, 9 * MINUTE, { job })]);
    expect(await findings(job)).toMatchObject([
      { kind: 'slow', count: 1, is_over: true, usual_ms: 5 * MINUTE + 4, run: { id: slow.id } },
    ]);
  });

  test('also if it is short, but not if it is very short', async () => {
    const [short, tiny] = [newJob(), newJob()];
    await index([
      ...history(short, 6, 20_000),
      indexedRun(NOW - HOUR, 90_000, { job: short }),
      ...history(tiny, 6, 1_000),
      indexedRun(NOW - HOUR, 50_000, { job: tiny }),
    ]);
    expect(await findings(short)).toMatchObject([{ kind: 'slow' }]);
    expect(await findings(tiny)).toEqual([]);
  });

  test('while it runs, and first if it is the slowest', async () => {
    const job = newJob();
    const hung = indexedRun(NOW - 9 * HOUR, null, { job, machine: 'web1' });
    await index([
      ...history(job, 6, 10 * MINUTE),
      ...history(job, 6, 10 * MINUTE, { machine: 'web2' }),
      hung,
      indexedRun(NOW - 2 * HOUR, 40 * MINUTE, { job, machine: 'web2' }),
    ]);
    expect(await findings(job)).toMatchObject([
      { kind: 'slow', count: 2, is_over: false, machines: ['web1', 'web2'], run: { id: hung.id, state: 'running' } },
    ]);
  });

  test('though some of the earlier ones hung, or failed at once', async () => {
    const job = newJob();
    await index([
      ...history(job, 7, 10 * MINUTE),
      ...history(job, 3, 9 * HOUR),
      ...history(job, 12, 100, FAILED),
      indexedRun(NOW - 2 * HOUR, 25 * MINUTE, { job }),
    ]);
    expect(await findings(job)).toMatchObject([{ kind: 'slow', count: 1 }]);
  });

  test('on its own machine: elsewhere it may take longer', async () => {
    const job = newJob();
    await index([
      ...history(job, 9, 2 * MINUTE, { machine: 'fast' }),
      ...history(job, 9, 20 * MINUTE, { machine: 'old' }),
      indexedRun(NOW - 2 * HOUR, 21 * MINUTE, { job, machine: 'old' }),
    ]);
    expect(await findings(job)).toEqual([]);
  });

  test('only if there were five before it', async () => {
    const job = newJob();
    await index([...history(job, 4, MINUTE), indexedRun(NOW - 2 * HOUR, HOUR, { job })]);
    expect(await findings(job)).toEqual([]);
    await index([indexedRun(NOW - 9 * DAY, MINUTE, { job })]);
    expect(await findings(job)).toMatchObject([{ kind: 'slow' }]);
  });

  test('if it took longer than expected, whatever is usual', async () => {
    const [ended, alive] = [newJob(), newJob()];
    const slow_since = new Date(NOW - HOUR).toISOString();
    await index([
      indexedRun(NOW - 2 * HOUR, 90 * MINUTE, { job: ended, slow_since }),
      indexedRun(NOW - 2 * HOUR, null, { job: alive, slow_since }),
    ]);
    expect(await findings(ended)).toMatchObject([{ kind: 'slow', is_over: true, usual_ms: null }]);
    expect(await findings(alive)).toMatchObject([{ kind: 'slow', is_over: false, usual_ms: null }]);
  });
});

describe('GET /report', () => {
  const recent = () => Date.now() - HOUR;

  test('has the last 12 hours, and says what was looked at', async () => {
    const { secret } = await newToken({ name: 'night', scopes: ['read'], jobs: 'api-night*' });
    await index([
      indexedRun(recent(), MINUTE, { job: 'api-night' }),
      indexedRun(recent(), MINUTE, { job: 'api-night', machine: 'web2' }),
      indexedRun(recent(), MINUTE, { job: 'api-night-2', ...FAILED }),
      indexedRun(recent(), MINUTE, { job: 'not-mine', ...FAILED }),
    ]);
    const body = await (await call('GET', '/report', { token: secret })).json<{ report: Report }>();
    const { jobs, checked, since, until, is_truncated } = body.report;
    expect(jobs.map(({ job }) => job)).toEqual(['api-night-2']);
    expect(checked).toMatchObject({ since, runs: 3, jobs: 2, machines: 2 });
    expect(Date.parse(until) - Date.parse(since)).toBe(12 * HOUR);
    expect(is_truncated).toBe(false);
  });

  test('has the period that is asked for, which ends now at the latest', async () => {
    const since = at(Date.now() - 3 * HOUR);
    const answer = await call('GET', `/report?since=${since}&until=${at(Date.now() + DAY)}`);
    const { report: found } = await answer.json<{ report: Report }>();
    expect(found.since).toBe(since);
    expect(Date.parse(found.until)).toBeLessThanOrEqual(Date.now());
  });

  test.each([
    'since=yesterday',
    'since=2026-02-30T00:00:00Z',
    'since=2999-01-01T00:00:00Z',
    'since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z',
    'since=2026-01-01T00:00:00Z&until=2026-02-02T00:00:00Z',
  ])('refuses %s', async (query) => {
    expect(await refusal(call('GET', `/report?${query}`))).toBe('400 bad_request');
  });
});

describe('a report of a large fleet', () => {
  // More than a report reads.
  const RUNS = IS_PROOF ? 100_000 : 6_000;
  const JOBS = 200;

  beforeAll(async () => {
    const week = 7 * DAY;
    await index(
      Array.from({ length: RUNS }, (_, nth) => {
        // One in fifty fails, one in ten takes ten minutes, some of these an hour.
        const tookMs = nth % 10 === 3 ? (nth % 1_000 === 3 ? HOUR : 10 * MINUTE) : 1_000;
        return indexedRun(NOW - 365 * DAY - week + Math.floor((nth / RUNS) * week), tookMs, {
          job: `vast-${nth % JOBS}`,
          machine: `m${nth % 60}`,
          ...(nth % 50 === 7 && FAILED),
        });
      }),
    );
    // As if each job were late ten times within that week, and as often after it.
    await indexOverdue(
      ...Array.from({ length: 20 * JOBS }, (_, nth) =>
        overdueRun(`vast-${nth % JOBS}`, NOW - 365 * DAY - week + Math.floor((nth / 10 / JOBS) * week)),
      ),
    );
  });

  test.each([
    ['a night', 12 * HOUR, 40_000],
    ['a week', 7 * DAY, 40_000],
  ])('reads a bounded number of rows: %s', async (_what, ms, atMost) => {
    const until = NOW - 365 * DAY;
    const reports: Report[] = [];
    const read = await rowsRead(async (db) => {
      reports.push(await buildReport(db, { jobGlob: '*', since: until - ms, until }));
    });
    expect(read).toBeLessThan(atMost);
    expect(reports[0]?.jobs.length).toBeGreaterThan(0);
  });
});

/** Expectations as the object of a job keeps and judges them. */
import { runInDurableObject } from 'cloudflare:test';
import * as v from 'valibot';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Expected, OverdueRun } from '#protocol/expectations';
import { ReportBody } from '#protocol/report';
import { waitFor } from '#testing/wait-for';
import { Expectations } from '../durable/job/expectations/expectations.ts';
import { call, newToken } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { rejecting, withD1, without } from './support/d1.ts';
import { env } from './support/env.ts';
import { hibernate, isOutboxEmpty, jobObject, nextAlarm, restart, run, runEvents } from './support/objects.ts';
import { query } from './support/storage.ts';
import { EXITED, type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DISCONNECT_MS = 30_000;

const HOURLY: Expected = {
  every_ms: HOUR_MS,
  schedule: null,
  time_zone: null,
  late_after_ms: 5 * MINUTE_MS,
  slow_after_ms: null,
};

const checks = vi.spyOn(Expectations.prototype, 'check');

useFakeDate();
// A full minute: durations in assertions are whole.
beforeEach(() => {
  checks.mockClear();
  vi.setSystemTime(Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS);
});

function expectations(job: string) {
  return runInDurableObject(jobObject(job), (object) => object.expectations());
}

async function state(job: string) {
  const [first] = await expectations(job);
  return first?.state;
}

/** Lets time pass as it does, alarm by alarm. */
async function live(job: string, ms: number): Promise<void> {
  const until = Date.now() + ms;
  for (let at = await nextAlarm(job); at !== null && at <= until; at = await nextAlarm(job)) {
    await pass(job, Math.max(at - Date.now(), 0));
    await settled(job);
  }
  vi.setSystemTime(until);
}

/** What alarms began is done. */
async function settled(job: string): Promise<void> {
  // In the object: its promises can't be awaited elsewhere.
  await runInDurableObject(
    jobObject(job),
    async () => void (await Promise.all(checks.mock.results.map(({ value }) => value))),
  );
  await waitFor('D1 to have everything', () => isOutboxEmpty(job));
}

async function endedRun(who: Identity, expected: Partial<Expected> | null = {}, ageMs = 0): Promise<void> {
  const wrapper = await TestWrapper.connect(who, {
    age_ms: ageMs,
    ...(expected !== null && { expected: { ...HOURLY, ...expected } }),
  });
  await wrapper.completed(EXITED);
  wrapper.close();
  await settled(who.job);
}

function again(who: Identity): Identity {
  return newIdentity(who.job, who.machine);
}

async function indexed(job: string) {
  const { results } = await env.DB.prepare('SELECT machine, state FROM expectations WHERE job = ?').bind(job).all();
  return results;
}

/** What D1 has of runs that were late or missed. */
async function overdueRuns(job: string): Promise<OverdueRun[]> {
  const { results } = await env.DB.prepare('SELECT resource FROM overdue_runs WHERE job = ? ORDER BY judged_at')
    .bind(job)
    .all<{ resource: string }>();
  return results.map(({ resource }) => v.parse(OverdueRun, JSON.parse(resource)));
}

/** Times relative to one. */
function since(time: number, { due_at, since: from, judged_at, ended_at, started_at, ...rest }: OverdueRun) {
  const [dueMs, sinceMs, judgedMs, endedMs] = [due_at, from, judged_at, ended_at].map((at) => Date.parse(at) - time);
  return { ...rest, dueMs, sinceMs, judgedMs, endedMs, startedMs: started_at && Date.parse(started_at) - time };
}

describe('a run that does not come', () => {
  test('is late to the second, then missed, then nothing more is said until it returns', async () => {
    const who = newIdentity('expect-late');
    const beganAt = Date.now();
    await endedRun(who);
    expect(await expectations(who.job)).toMatchObject([{ machine: who.machine, source: 'run', state: 'ok' }]);
    await live(who.job, HOUR_MS + 5 * MINUTE_MS - 1);
    expect(await state(who.job)).toBe('ok');
    await live(who.job, 1);
    expect(await state(who.job)).toBe('late');
    expect(await indexed(who.job)).toEqual([{ machine: who.machine, state: 'late' }]);
    await live(who.job, 55 * MINUTE_MS);
    expect(await state(who.job)).toBe('missed');
    const [{ seq = 0 } = {}] = await expectations(who.job);
    await live(who.job, 20 * HOUR_MS);
    expect(await expectations(who.job)).toMatchObject([{ state: 'missed', seq }]);
    expect(await overdueRuns(who.job)).toEqual([]);
    const came = again(who);
    await endedRun(came);
    expect(await expectations(who.job)).toMatchObject([{ state: 'ok', since: new Date().toISOString() }]);
    expect(await indexed(who.job)).toEqual([{ machine: who.machine, state: 'ok' }]);
    expect((await overdueRuns(who.job)).map((each) => since(beganAt, each))).toEqual([
      {
        job: who.job,
        machine: who.machine,
        state: 'missed',
        dueMs: HOUR_MS,
        sinceMs: 2 * HOUR_MS,
        judgedMs: HOUR_MS + 5 * MINUTE_MS,
        endedMs: 22 * HOUR_MS,
        startedMs: 22 * HOUR_MS,
        run: came.run,
      },
    ]);
  });

  test('is no matter while each comes in time', async () => {
    const who = newIdentity('expect-in-time');
    await endedRun(who);
    for (let hour = 0; hour < 3; hour++) {
      await live(who.job, HOUR_MS + 2 * MINUTE_MS);
      await endedRun(again(who));
    }
    const [{ state: found, since: from } = {}] = await expectations(who.job);
    expect({ found, since: Date.parse(from ?? '') }).toEqual({
      found: 'ok',
      since: Date.now() - 3 * (HOUR_MS + 2 * MINUTE_MS),
    });
    expect(await overdueRuns(who.job)).toEqual([]);
  });

  test('was only reported late: the verdict is corrected', async () => {
    const who = newIdentity('expect-asleep');
    const beganAt = Date.now();
    await endedRun(who);
    await live(who.job, HOUR_MS + 20 * MINUTE_MS);
    expect(await state(who.job)).toBe('late');
    await endedRun(again(who), {}, 18 * MINUTE_MS);
    expect(await expectations(who.job)).toMatchObject([
      { state: 'ok', due_at: new Date(Date.now() + 42 * MINUTE_MS).toISOString() },
    ]);
    expect((await overdueRuns(who.job)).map((each) => since(beganAt, each))).toMatchObject([
      { state: 'late', sinceMs: HOUR_MS + 5 * MINUTE_MS, startedMs: HOUR_MS + 2 * MINUTE_MS },
    ]);
  });
});

describe('what was late is remembered', () => {
  test('each time, also if the run that came for it was reported so late that the next is due', async () => {
    const who = newIdentity('overdue-each');
    const beganAt = Date.now();
    await endedRun(who);
    await live(who.job, 4 * HOUR_MS);
    const came = again(who);
    await endedRun(came, {}, 150 * MINUTE_MS);
    expect(await state(who.job)).toBe('late');
    await live(who.job, 10 * MINUTE_MS);
    await endedRun(again(who));
    expect((await overdueRuns(who.job)).map((each) => since(beganAt, each))).toMatchObject([
      { state: 'missed', dueMs: HOUR_MS, endedMs: 4 * HOUR_MS, startedMs: 90 * MINUTE_MS, run: came.run },
      { state: 'late', dueMs: 210 * MINUTE_MS, judgedMs: 4 * HOUR_MS, endedMs: 250 * MINUTE_MS },
    ]);
  });

  test('and reported, with the run that came, as is a run that was slow', async () => {
    const who = newIdentity('overdue-reported');
    await endedRun(who);
    await live(who.job, 4 * HOUR_MS);
    const came = again(who);
    const expected = { ...HOURLY, slow_after_ms: 10 * SECOND_MS };
    const wrapper = await TestWrapper.connect(came, { age_ms: 0, expected });
    await live(who.job, 20 * SECOND_MS);
    await wrapper.completed({ ...EXITED, duration_ms: 20 * SECOND_MS });
    wrapper.close();
    await settled(who.job);
    await live(who.job, SECOND_MS);
    const found = async (jobs: string, since: number) => {
      const { secret } = await newToken({ name: `${jobs} ${since}`, scopes: ['read'], jobs });
      const answer = await call('GET', `/report?since=${new Date(since).toISOString()}`, { token: secret });
      const { report } = v.parse(ReportBody, await answer.json());
      return report.jobs.flatMap(({ findings }) => findings);
    };
    const slow = { kind: 'slow', is_over: true, run: { id: came.run } };
    expect(await found('overdue-rep*', Date.now() - HOUR_MS)).toMatchObject([
      { kind: 'missed', is_over: true, run: { id: came.run }, overdue: { state: 'missed', run: came.run } },
      slow,
    ]);
    // It came before this period.
    expect(await found('overdue-rep*', Date.now() - 10 * SECOND_MS)).toMatchObject([slow]);
    expect(await found('overdue-rap*', Date.now() - HOUR_MS)).toEqual([]);
  });

  test('with the run that came, although that says that another is expected from now on', async () => {
    const who = newIdentity('overdue-new-flags');
    await endedRun(who);
    await live(who.job, 70 * MINUTE_MS);
    const came = again(who);
    await endedRun(came, { every_ms: 2 * HOUR_MS });
    expect(await expectations(who.job)).toMatchObject([{ every_ms: 2 * HOUR_MS, state: 'ok' }]);
    expect(await overdueRuns(who.job)).toMatchObject([{ state: 'late', run: came.run }]);
  });

  test('for any machine, with the run that came on one', async () => {
    const who = newIdentity('overdue-any');
    await endedRun(who, null);
    await runInDurableObject(jobObject(who.job), (object) => void object.setExpectation(null, HOURLY));
    await live(who.job, 70 * MINUTE_MS);
    const came = newIdentity(who.job, 'elsewhere.example');
    await endedRun(came, null);
    expect(await overdueRuns(who.job)).toMatchObject([{ machine: null, state: 'late', run: came.run }]);
  });

  test('without a run, if an operator has changed or removed what is expected', async () => {
    const who = newIdentity('overdue-operator');
    await endedRun(who);
    await live(who.job, 70 * MINUTE_MS);
    const object = jobObject(who.job);
    const expected = { ...HOURLY, every_ms: 4 * HOUR_MS };
    await runInDurableObject(object, (job) => void job.setExpectation(who.machine, expected));
    await settled(who.job);
    const changed = { machine: who.machine, state: 'late', run: null, started_at: null };
    expect(await overdueRuns(who.job)).toMatchObject([changed]);
    await live(who.job, 6 * HOUR_MS);
    expect(await state(who.job)).toBe('late');
    await runInDurableObject(object, (job) => void job.removeExpectation(who.machine));
    await settled(who.job);
    expect(await overdueRuns(who.job)).toMatchObject([changed, { ...changed, ended_at: new Date().toISOString() }]);
  });

  test('once, though D1 is away when it comes, the object restarts, and D1’s answer is lost', async () => {
    const who = newIdentity('overdue-once');
    await endedRun(who);
    await live(who.job, 70 * MINUTE_MS);
    const came = again(who);
    let d1: 'away' | 'loses its answer' | 'fine' = 'away';
    let refused = 0;
    const isOfIt = (statements: readonly string[]) => statements.some((each) => each.includes('INTO overdue_runs'));
    await withD1(
      async (call, statements) => {
        if (!isOfIt(statements) || d1 === 'fine') return call();
        if (d1 === 'away') refused += 1;
        else await call();
        if (d1 === 'loses its answer') d1 = 'fine';
        return rejecting();
      },
      async () => {
        const wrapper = await TestWrapper.connect(came, { age_ms: 0, expected: HOURLY });
        await wrapper.completed(EXITED);
        wrapper.close();
        await waitFor('D1 to have refused it', () => refused > 0);
        await restart(who.job);
        d1 = 'loses its answer';
        await waitFor('D1 to have everything', async () => {
          await pass(who.job, 10 * SECOND_MS);
          return isOutboxEmpty(who.job);
        });
      },
    );
    expect(d1).toBe('fine');
    expect(await overdueRuns(who.job)).toMatchObject([{ state: 'late', run: came.run }]);
    expect(await query(who.job, 'SELECT id FROM overdue_runs')).toEqual([]);
  });
});

describe('a control plane that was away', () => {
  test('judges nothing before wrappers had time to come back', async () => {
    const who = newIdentity('expect-away');
    await endedRun(who);
    await restart(who.job);
    // It is back long after the run was due: nobody could have reported it.
    await pass(who.job, HOUR_MS + 30 * MINUTE_MS);
    await settled(who.job);
    await live(who.job, DISCONNECT_MS - 1);
    expect(await state(who.job)).toBe('ok');
    await live(who.job, SECOND_MS);
    expect(await state(who.job)).toBe('late');
  });

  test('hears of the run meanwhile, and tells nobody', async () => {
    const who = newIdentity('expect-back');
    await endedRun(who);
    await restart(who.job);
    await pass(who.job, HOUR_MS + 30 * MINUTE_MS);
    await settled(who.job);
    const [{ seq = 0 } = {}] = await expectations(who.job);
    await endedRun(again(who), {}, 29 * MINUTE_MS);
    await live(who.job, 10 * MINUTE_MS);
    expect(await expectations(who.job)).toMatchObject([{ state: 'ok', seq }]);
  });

  test('is a witness in time if it only slept', async () => {
    const who = newIdentity('expect-slept');
    await endedRun(who);
    await live(who.job, 30 * MINUTE_MS);
    await hibernate(who.job);
    await live(who.job, 35 * MINUTE_MS);
    expect(await state(who.job)).toBe('late');
  });

  test('judges nothing while wrappers can not be authenticated', async () => {
    const who = newIdentity('expect-without-d1');
    await endedRun(who);
    await live(who.job, HOUR_MS);
    await without(['tokens'], async () => {
      await live(who.job, 10 * MINUTE_MS);
      expect(await state(who.job)).toBe('ok');
    });
    await live(who.job, DISCONNECT_MS);
    expect(await state(who.job)).toBe('late');
  });
});

describe('several machines', () => {
  test('are each expected, as their command lines say', async () => {
    const one = newIdentity('expect-machines', 'one.example');
    const two = newIdentity('expect-machines', 'two.example');
    await endedRun(one);
    await endedRun(two);
    await live(one.job, HOUR_MS);
    await endedRun(again(one));
    await live(one.job, 10 * MINUTE_MS);
    expect(await expectations(one.job)).toMatchObject([
      { machine: 'one.example', state: 'ok' },
      { machine: 'two.example', state: 'late' },
    ]);
  });

  test('fulfil an expectation of the job as a whole together', async () => {
    const one = newIdentity('expect-any', 'one.example');
    const two = newIdentity('expect-any', 'two.example');
    await endedRun(one, null);
    await runInDurableObject(jobObject(one.job), (object) => void object.setExpectation(null, HOURLY));
    await live(one.job, HOUR_MS);
    await endedRun(two, null);
    await live(one.job, 10 * MINUTE_MS);
    expect(await expectations(one.job)).toMatchObject([{ machine: null, source: 'operator', state: 'ok' }]);
    await live(one.job, HOUR_MS);
    expect(await state(one.job)).toBe('late');
  });
});

describe('who sets it', () => {
  test('an operator has precedence over command lines, and removes what is of no use', async () => {
    const who = newIdentity('expect-operator');
    await endedRun(who);
    const object = jobObject(who.job);
    const set = await runInDurableObject(object, (job) =>
      job.setExpectation(who.machine, { ...HOURLY, every_ms: 2 * HOUR_MS }),
    );
    expect(set).toMatchObject({ kind: 'set', expectation: { every_ms: 2 * HOUR_MS, source: 'operator' } });
    await endedRun(again(who), { every_ms: 3 * HOUR_MS });
    expect(await expectations(who.job)).toMatchObject([{ every_ms: 2 * HOUR_MS }]);
    await settled(who.job);
    expect(await runInDurableObject(object, (job) => job.removeExpectation(who.machine))).toBe(true);
    expect(await runInDurableObject(object, (job) => job.removeExpectation(who.machine))).toBe(false);
    await settled(who.job);
    expect(await expectations(who.job)).toEqual([]);
    expect(await indexed(who.job)).toEqual([]);
    await endedRun(again(who), { every_ms: 3 * HOUR_MS });
    expect(await expectations(who.job)).toMatchObject([{ every_ms: 3 * HOUR_MS, source: 'run' }]);
    expect(await indexed(who.job)).toEqual([{ machine: who.machine, state: 'ok' }]);
  });

  test('a command line that makes no sense does not fail the run, and says why', async () => {
    const who = newIdentity('expect-nonsense');
    await endedRun(who, { every_ms: null, schedule: '0 0 31 2 *' });
    expect((await run(who.job, who.run))?.state).toBe('succeeded');
    expect(await expectations(who.job)).toMatchObject([
      { state: 'ok', due_at: null, problem: 'The schedule "0 0 31 2 *" never fires.' },
    ]);
  });

  test('nothing is expected of a job that was never seen', async () => {
    const result = await runInDurableObject(jobObject('expect-never'), (job) => job.setExpectation(null, HOURLY));
    expect(result).toEqual({ kind: 'unknown_job' });
  });
});

describe('a run that takes long', () => {
  test('is slow to the second', async () => {
    const who = newIdentity('expect-slow');
    await TestWrapper.connect(who, { age_ms: 0, expected: { ...HOURLY, slow_after_ms: 20 * SECOND_MS } });
    await live(who.job, 20 * SECOND_MS - 1);
    expect((await run(who.job, who.run))?.slow_since).toBeNull();
    await live(who.job, 1);
    expect((await run(who.job, who.run))?.slow_since).toBe(new Date().toISOString());
    expect((await runEvents(who.job, who.run)).at(-1)).toMatchObject({ type: 'slow', after_ms: 20 * SECOND_MS });
  });

  test('was slow, although its wrapper was disconnected at that time', async () => {
    const who = newIdentity('expect-slow-away');
    const wrapper = await TestWrapper.connect(who, {
      age_ms: 90 * SECOND_MS,
      phase: 'ended',
      expected: { ...HOURLY, slow_after_ms: MINUTE_MS },
    });
    await wrapper.completed({ ...EXITED, duration_ms: 80 * SECOND_MS });
    const found = await run(who.job, who.run);
    expect(Date.parse(found?.slow_since ?? '')).toBe(Date.parse(found?.started_at ?? '') + MINUTE_MS);
  });

  test('is not slow by how long it waited for its start', async () => {
    const who = newIdentity('expect-waited');
    const question = { overlap: 'wait', scope: 'job' } as const;
    const wrapper = await TestWrapper.connect(who, {
      phase: 'waiting',
      pid: null,
      age_ms: 0,
      question,
      expected: { ...HOURLY, slow_after_ms: 10 * SECOND_MS },
    });
    wrapper.killing(null, 'term');
    await wrapper.settled();
    await live(who.job, 20 * SECOND_MS);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killing', slow_since: null });
    await wrapper.completed({ ...EXITED, exit_code: 143, reason: 'operator', duration_ms: 20 * SECOND_MS });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killed', slow_since: null });
  });

  test('is no matter without an expectation, nor if it ends in time', async () => {
    const who = newIdentity('expect-quick');
    const wrapper = await TestWrapper.connect(who, { expected: { ...HOURLY, slow_after_ms: MINUTE_MS } });
    vi.setSystemTime(Date.now() + 30 * SECOND_MS);
    await wrapper.completed(EXITED);
    await live(who.job, 5 * MINUTE_MS);
    expect((await run(who.job, who.run))?.slow_since).toBeNull();
  });
});

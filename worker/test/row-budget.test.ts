/**
 * What Leash costs to run: rows written, alarms and requests of each thing that happens often, against their budgets.
 * `npx vitest run --project worker --silent=false worker/test/row-budget.test.ts` prints the table.
 */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { afterAll, expect, onTestFinished, TestRunner, test, vi } from 'vitest';
import type { Pacing } from '#protocol/wrapper-link';
import { BUDGETED, BUDGETS, type Budgeted, type Cost, UNWATCHED_FRAMES_PER_MINUTE } from '#shared/cost-model';
import { waitFor } from '#testing/wait-for';
import { Expectations } from '../durable/job/expectations/expectations.ts';
import { Sockets } from '../durable/job/sockets.ts';
import { newAlert, nextAlertsAlarm, passAlerts, Receivers } from './support/alerts.ts';
import { call, newToken, postKill } from './support/api.ts';
import { runTimers, useFakeDate } from './support/clock.ts';
import { costOf } from './support/cost.ts';
import { env } from './support/env.ts';
import { hibernate, isOutboxEmpty, jobObject, nextAlarm } from './support/objects.ts';
import { useSettings } from './support/settings.ts';
import { query } from './support/storage.ts';
import { EXITED, type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const LINE = 'one line of some forty characters, or so\n';

const FAST_OUTPUT_BYTES = 5_000_000;

const COLUMNS = ['objectRows', 'd1Rows', 'setAlarms', 'alarms', 'requests', 'workerRequests'] as const;
const table: string[] = [row('', COLUMNS)];

function row(name: string, cells: readonly (string | number)[]): string {
  return name.padEnd(40) + cells.map((cell) => String(cell).padStart(12)).join('');
}

const checks = vi.spyOn(Expectations.prototype, 'check');

useFakeDate();
useSettings({ INDEX_DELAY_MS: '1000' });
afterAll(() => console.log(['', 'What it costs, and its budget:', ...table].join('\n')));

/** Fails if it costs more than its budget, and says which statements wrote the rows. */
async function expectWithin(line: Budgeted, what: () => Promise<unknown>): Promise<void> {
  const { statements, ...cost } = await costOf(what);
  // For `npm run bench -- cost`, which reads the report of this file.
  Object.assign(TestRunner.getCurrentTest()?.meta ?? {}, { line, cost });
  const budget: Cost = BUDGETS[line];
  table.push(
    row(
      BUDGETED[line],
      COLUMNS.map((column) => `${Math.round(cost[column] * 100) / 100}/${budget[column]}`),
    ),
  );
  const exceeded = COLUMNS.filter((column) => cost[column] > budget[column]);
  const written = [...statements].map(([statement, rows]) => `${rows}  ${statement.replaceAll(/\s+/g, ' ')}`);
  expect(exceeded, [`${BUDGETED[line]} costs ${JSON.stringify(cost)}`, ...written].join('\n')).toEqual([]);
}

async function settled({ job }: Identity): Promise<void> {
  await runTimers(job, SECOND_MS);
  await waitFor('D1 to have everything', () => isOutboxEmpty(job));
}

/** Fires every alarm of the next hour at its time. The daily one is left. */
async function fireAlarms(job: string): Promise<void> {
  for (let at = await nextAlarm(job); at !== null && at < Date.now() + HOUR_MS; at = await nextAlarm(job)) {
    vi.setSystemTime(Math.max(at, Date.now()));
    await runDurableObjectAlarm(jobObject(job));
    await runInDurableObject(
      jobObject(job),
      async () => void (await Promise.all(checks.mock.results.map(({ value }) => value))),
    );
    await waitFor('D1 to have everything', () => isOutboxEmpty(job));
  }
}

/** As from a machine: the object has seen the token before. */
let token: string | undefined;

async function connect(who: Identity): Promise<TestWrapper> {
  token ??= (await newToken({ name: 'machine', scopes: ['run'] })).secret;
  return TestWrapper.connect(who, {}, token);
}

async function connectAsking(who: Identity): Promise<TestWrapper> {
  token ??= (await newToken({ name: 'machine', scopes: ['run'] })).secret;
  const question = { overlap: 'skip', scope: 'job' } as const;
  return TestWrapper.connect(who, { phase: 'waiting', pid: null, age_ms: 0, question }, token);
}

async function endedRun(who: Identity): Promise<void> {
  const wrapper = await connect(who);
  wrapper.print(0, LINE);
  await wrapper.acked(LINE.length);
  await endOf(who, wrapper);
}

async function endOf(who: Identity, wrapper: TestWrapper): Promise<void> {
  await wrapper.completed({ ...EXITED, final_offset: LINE.length });
  await closed(who, wrapper);
  await settled(who);
}

async function closed({ job, run }: Identity, wrapper: TestWrapper): Promise<void> {
  wrapper.close();
  await waitFor('the socket to be gone', () =>
    runInDurableObject(jobObject(job), (_object, state) => state.getWebSockets(`run:${run}`).length === 0),
  );
}

/** A job that has had a run. */
async function knownJob(job: string): Promise<Identity> {
  await endedRun(newIdentity(job));
  await fireAlarms(job);
  return newIdentity(job);
}

/** A run that has been connected for a while. */
async function runningRun(job: string): Promise<{ who: Identity; wrapper: TestWrapper }> {
  const who = await knownJob(job);
  const wrapper = await connect(who);
  await settled(who);
  await beatFor(who.job, MINUTE_MS);
  return { who, wrapper };
}

/** How often the wrapper was told to send, and how much at once. */
function pacingOf(wrapper: TestWrapper): Pacing {
  const pacing = wrapper.of('ack').flatMap((ack) => (ack.of === 'start' && ack.pacing) || [])[0];
  if (pacing === undefined) throw new Error('no pacing');
  return pacing;
}

/** All links are alive, and nothing else happens. The object sleeps between its alarms. */
async function beatFor(job: string, ms: number): Promise<void> {
  const heard = vi.spyOn(Sockets.prototype, 'lastHeard').mockImplementation(() => Date.now() - 2 * SECOND_MS);
  const until = Date.now() + ms;
  for (let at = await nextAlarm(job); at !== null && at <= until; at = await nextAlarm(job)) {
    await hibernate(job);
    vi.setSystemTime(Math.max(at, Date.now()));
    await runDurableObjectAlarm(jobObject(job));
    await waitFor('D1 to have everything', () => isOutboxEmpty(job));
  }
  vi.setSystemTime(until);
  heard.mockRestore();
}

test('a short run of a known job', async () => {
  const who = await knownJob('cost-short');
  await expectWithin('shortRun', async () => {
    await endedRun(who);
    await fireAlarms(who.job);
  });
});

/** Each run is expected an hour after the one before. */
const HOURLY = {
  every_ms: HOUR_MS,
  schedule: null,
  time_zone: null,
  late_after_ms: 5 * MINUTE_MS,
  slow_after_ms: 30 * MINUTE_MS,
};

async function expectRuns({ job }: Identity): Promise<void> {
  await runInDurableObject(jobObject(job), (object) => void object.setExpectation(null, HOURLY));
  await waitFor('D1 to have everything', () => isOutboxEmpty(job));
}

test('a short run that is expected, and comes', async () => {
  const who = await knownJob('cost-expected');
  await expectRuns(who);
  await endedRun(newIdentity(who.job));
  await fireAlarms(who.job);
  await expectWithin('expectedRun', async () => {
    await endedRun(who);
    await fireAlarms(who.job);
  });
});

test('a run that is expected, does not come, and then comes after all', async () => {
  const who = await knownJob('cost-missed');
  await expectRuns(who);
  await endedRun(who);
  await fireAlarms(who.job);
  // Awake as a witness: it is not evicted between its alarms.
  await expectWithin('missedRun', async () => {
    for (let hour = 0; hour < 4; hour++) {
      await fireAlarms(who.job);
      vi.setSystemTime(Date.now() + 30 * MINUTE_MS);
    }
  });
  expect(await runInDurableObject(jobObject(who.job), (object) => object.expectations())).toMatchObject([
    { state: 'missed' },
  ]);
  const late = newIdentity(who.job);
  await expectWithin('overdueRun', async () => {
    await endedRun(late);
    await fireAlarms(who.job);
  });
  const { results } = await env.DB.prepare("SELECT resource ->> '$.run' AS run FROM overdue_runs WHERE job = ?")
    .bind(who.job)
    .all();
  expect(results).toEqual([{ run: late.run }]);
});

test('a short run that asks before its start, and is told to', async () => {
  const who = await knownJob('cost-asked');
  await expectWithin('askedRun', async () => {
    const wrapper = await connectAsking(who);
    await wrapper.answer('start');
    wrapper.start();
    wrapper.print(0, LINE);
    await wrapper.acked(LINE.length);
    await endOf(who, wrapper);
    await fireAlarms(who.job);
  });
});

test('a run that asks, and is skipped', async () => {
  const { who } = await runningRun('cost-skipped');
  const skipped = newIdentity(who.job);
  await expectWithin('skippedRun', async () => {
    const wrapper = await connectAsking(skipped);
    await wrapper.answer('skip');
    await wrapper.completed({ exit_code: 75, command_exit_code: null, signal: null, reason: 'overlap' });
    await closed(skipped, wrapper);
    await settled(skipped);
  });
});

test('a run that fails, and its alert', async () => {
  const who = await knownJob('cost-reported');
  const receivers = Receivers.install();
  onTestFinished(() => void vi.unstubAllGlobals());
  const url = receivers.open();
  const { id } = await newAlert(url, { jobs: who.job });
  onTestFinished(async () => void (await call('DELETE', `/alerts/${id}`)));
  await expectWithin('reportedFailure', async () => {
    const wrapper = await connect(who);
    wrapper.print(0, LINE);
    await wrapper.acked(LINE.length);
    await wrapper.completed({ ...EXITED, exit_code: 1, command_exit_code: 1, final_offset: LINE.length });
    await closed(who, wrapper);
    await settled(who);
    await fireAlarms(who.job);
    await waitFor('the alerts object to know', async () => (await nextAlertsAlarm()) !== null);
    await passAlerts(MINUTE_MS);
  });
  expect(receivers.received(url)).toMatchObject([{ kinds: ['failed'], count: 1 }]);
});

test('a silent run, for an hour', async () => {
  const { who } = await runningRun('cost-silent');
  await expectWithin('silentHour', () => beatFor(who.job, HOUR_MS));
});

test('a line a second that nobody watches, for a minute', async () => {
  const { who, wrapper } = await runningRun('cost-lines');
  await expectWithin('lineASecondMinute', async () => {
    const { interval_ms: intervalMs } = pacingOf(wrapper);
    expect(MINUTE_MS / intervalMs).toBe(UNWATCHED_FRAMES_PER_MINUTE);
    const lines = LINE.repeat(intervalMs / SECOND_MS);
    for (let frame = 0; frame < MINUTE_MS / intervalMs; frame++) {
      await beatFor(who.job, intervalMs);
      wrapper.print(frame * lines.length, lines);
      await wrapper.acked((frame + 1) * lines.length);
    }
  });
});

test('5 MB in a second', async () => {
  const { wrapper } = await runningRun('cost-fast');
  const { max_bytes: maxBytes } = pacingOf(wrapper);
  await expectWithin('fastSecond', async () => {
    for (let start = 0; start < FAST_OUTPUT_BYTES; start += maxBytes) wrapper.print(start, 'x'.repeat(maxBytes));
    await wrapper.acked(Math.ceil(FAST_OUTPUT_BYTES / maxBytes) * maxBytes);
  });
});

test("a kill, and the run's end by it", async () => {
  const { who, wrapper } = await runningRun('cost-kill');
  await expectWithin('kill', async () => {
    const { id } = await postKill(who.job, { run: who.run });
    await wrapper.kill();
    wrapper.killing(id, 'term');
    wrapper.killing(id, 'gone');
    await wrapper.completed();
    wrapper.close();
    await settled(who);
    await fireAlarms(who.job);
  });
});

test('a link that is cut, and the reconnect', async () => {
  const { who, wrapper } = await runningRun('cost-reconnect');
  await expectWithin('reconnect', async () => {
    wrapper.close();
    await waitFor('the object to notice', async () => {
      const [run] = await query<{ connected: number }>(who.job, 'SELECT connected FROM runs WHERE id = ?', who.run);
      return run?.connected === 0;
    });
    vi.setSystemTime(Date.now() + SECOND_MS);
    await connect(who);
    await settled(who);
    await beatFor(who.job, MINUTE_MS);
  });
});

test('the removal of an ended run', async () => {
  const who = await knownJob('cost-removal');
  vi.setSystemTime(Date.now() + 60 * DAY_MS);
  await endedRun(newIdentity(who.job));
  await fireAlarms(who.job);
  vi.setSystemTime(Date.now() + 31 * DAY_MS);
  // The daily look at the others is not part of it.
  await expectWithin('removal', () => fireAlarms(who.job));
  const { results } = await env.DB.prepare('SELECT id FROM runs WHERE job = ?').bind(who.job).all();
  expect(results).toHaveLength(1);
});

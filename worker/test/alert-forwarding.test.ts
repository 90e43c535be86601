/**
 * How what happens to runs gets from their jobs' objects to receivers while something on the way is away: nothing is lost,
 * nothing comes twice, and neither D1 nor the alerts object waits for the other.
 */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { AlertsObject } from '../durable/alerts/alerts-object.ts';
import {
  alertsObject,
  clearAlerts,
  newAlert,
  nextAlertsAlarm,
  passAlerts,
  Receivers,
  restartAlerts,
} from './support/alerts.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { hanging, indexedState, rejecting, withD1 } from './support/d1.ts';
import { env } from './support/env.ts';
import { isOutboxEmpty } from './support/objects.ts';
import { EXITED, newIdentity, TestWrapper } from './support/wrapper.ts';

const MINUTE_MS = 60_000;
/** Longer than the gateway and a job's object wait until they try again. */
const RETRY_MS = 10_000;

let receivers: Receivers;
let receiver: string;

useFakeDate();
beforeAll(() => {
  receivers = Receivers.install();
});
afterAll(() => void vi.unstubAllGlobals());
beforeEach(async () => {
  await clearAlerts();
  receiver = receivers.open();
  await newAlert(receiver);
});
afterEach(() => void vi.restoreAllMocks());

const gateway = () => env.D1_GATEWAY.getByName('changes');

const FAILED = { ...EXITED, exit_code: 1, command_exit_code: 1 } as const;

/** Has a run fail. @returns its id */
async function failedRun(job: string): Promise<string> {
  const wrapper = await TestWrapper.connect(newIdentity(job));
  await wrapper.completed(FAILED);
  return wrapper.identity.run;
}

/** A run of which D1 has the start. */
async function startedRun(job: string): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job));
  await wrapper.settled();
  await waitFor('the outbox to be empty', () => isOutboxEmpty(job));
  return wrapper;
}

/** D1 has what has become of a run, and its job's object knows that. */
async function committed(job: string, run: string): Promise<void> {
  await waitFor('D1 to have the end', async () => (await indexedState(run)) === 'failed');
  await waitFor('the outbox to be empty', () => isOutboxEmpty(job));
}

/** The gateway tries again what it has kept. */
async function retryOfGateway(): Promise<boolean> {
  vi.setSystemTime(Date.now() + RETRY_MS);
  return runDurableObjectAlarm(gateway());
}

async function restartGateway(): Promise<void> {
  const aborted = runInDurableObject(gateway(), async (_object, state) => {
    await state.storage.sync();
    state.abort('restarted by the test');
  });
  await aborted.catch(() => {});
}

async function known(): Promise<void> {
  await waitFor('the alerts object to know', async () => (await nextAlertsAlarm()) !== null);
}

/** Which runs the receiver was told of, in how many messages. */
async function told(): Promise<{ readonly runs: (string | null)[]; readonly messages: number }> {
  await passAlerts(MINUTE_MS);
  await passAlerts(MINUTE_MS);
  const messages = receivers.received(receiver);
  return { runs: messages.flatMap(({ body }) => body.occurrences.map(({ run }) => run)), messages: messages.length };
}

/** Something that happens when the test says so. */
function held() {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  onTestFinished(release);
  return { release, released };
}

const { report } = AlertsObject.prototype;
type Report = (...all: Parameters<AlertsObject['report']>) => unknown;

/** How the alerts object answers the next calls, one after the other; then as always. */
function answerReports(...answers: readonly Report[]) {
  const spy = vi.spyOn(AlertsObject.prototype, 'report');
  for (const answer of answers) spy.mockImplementationOnce(answer as AlertsObject['report']);
  return spy;
}

function fails(properties: object = {}): never {
  throw Object.assign(new Error('the alerts object is away'), properties);
}

/** Ends the instance during a call, as a deploy does. */
function deployed(object: AlertsObject): Promise<never> {
  const { ctx } = object as unknown as { ctx: DurableObjectState };
  return ctx.storage.sync().then(() => {
    ctx.abort('deployed by the test');
    throw new Error('deployed');
  });
}

describe('while the alerts object is away', () => {
  test.each([
    ['fails', () => fails()],
    ['is overloaded', () => fails({ overloaded: true, retryable: true })],
  ])(
    'because it %s, D1 gets what happens, and it the same later, also if the gateway was restarted',
    async (_how, answer) => {
      const job = 'forward-away';
      const reports = answerReports(answer);
      const run = await failedRun(job);
      await committed(job, run);
      expect(reports).toHaveBeenCalledTimes(1);
      await restartGateway();
      reports.mockImplementationOnce(answer);
      expect(await retryOfGateway()).toBe(true);
      expect(await told()).toEqual({ runs: [], messages: 0 });
      expect(await retryOfGateway()).toBe(true);
      expect(reports).toHaveBeenCalledTimes(3);
      expect(await told()).toEqual({ runs: [run], messages: 1 });
      expect(await retryOfGateway()).toBe(false);
    },
  );

  test('because it does not answer, D1 gets what happens, and it the same once', async () => {
    const job = 'forward-hangs';
    const { released, release } = held();
    const reports = answerReports(function (this: AlertsObject, all) {
      return released.then(() => report.call(this, all));
    });
    const run = await failedRun(job);
    await committed(job, run);
    release();
    await known();
    expect(await told()).toEqual({ runs: [run], messages: 1 });
    await retryOfGateway();
    expect(await told()).toEqual({ runs: [run], messages: 1 });
    expect(reports).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['before', () => undefined],
    ['after', report],
  ])('because it is deployed anew %s it has stored something, it is told once', async (_when, first) => {
    const job = 'forward-deployed';
    answerReports(function (this: AlertsObject, all) {
      first.call(this, all);
      return deployed(this);
    });
    const run = await failedRun(job);
    await committed(job, run);
    await retryOfGateway();
    await known();
    expect(await told()).toEqual({ runs: [run], messages: 1 });
  });

  test('what is kept meanwhile stays until it has that as well', async () => {
    const job = 'forward-kept';
    const [first, again] = [held(), held()];
    const reports = answerReports(
      ...[first, again].map(
        ({ released }): Report =>
          function (this: AlertsObject, all) {
            return released.then(() => report.call(this, all));
          },
      ),
      () => fails(),
    );
    const one = await failedRun(job);
    await committed(job, one);
    const retry = retryOfGateway();
    first.release();
    await waitFor('it to be sent again', () => reports.mock.calls.length === 2);
    const other = await failedRun(job);
    await committed(job, other);
    again.release();
    await retry;
    await waitFor('the other to be sent', () => reports.mock.calls.length === 3);
    await retryOfGateway();
    expect(await told()).toMatchObject({ runs: [one, other] });
  });
});

describe('a restart', () => {
  test('of the gateway after D1 has the change, and before anyone knows, loses nothing', async () => {
    const job = 'forward-restart';
    const { released } = held();
    answerReports(() => fails());
    const wrapper = await startedRun(job);
    const { run } = wrapper.identity;
    await withD1(
      async (call, statements) => {
        const result = await call();
        if (statements.some((statement) => statement.includes('INTO runs'))) await released;
        return result;
      },
      async () => {
        await wrapper.completed(FAILED);
        await waitFor('D1 to have the end', async () => (await indexedState(run)) === 'failed');
        await restartGateway();
      },
    );
    expect(await told()).toEqual({ runs: [], messages: 0 });
    await pass(job, RETRY_MS);
    await committed(job, run);
    await known();
    expect(await told()).toEqual({ runs: [run], messages: 1 });
  });

  test('of the alerts object between what it takes and its message loses nothing', async () => {
    const job = 'forward-before-message';
    const run = await failedRun(job);
    await known();
    await restartAlerts();
    expect(await told()).toEqual({ runs: [run], messages: 1 });
  });

  test('of the alerts object while a receiver does not answer sends the same message again', async () => {
    const job = 'forward-during-message';
    const { released } = held();
    receivers.answer(receiver, () => released.then(() => new Response('too late')));
    const run = await failedRun(job);
    await known();
    vi.setSystemTime(Date.now() + MINUTE_MS);
    await runDurableObjectAlarm(alertsObject());
    await waitFor('the message', () => receivers.received(receiver).length === 1);
    // Later than the attempt can take: the alarm is for the case that the object is lost.
    expect(await nextAlertsAlarm()).toBeGreaterThan(Date.now() + 30_000);
    await restartAlerts();
    receivers.answer(receiver, () => new Response('ok'));
    expect((await told()).runs).toEqual([run, run]);
    const [first, second] = receivers.received(receiver);
    expect(second?.id).toBe(first?.id);
    await passAlerts(MINUTE_MS);
    expect(receivers.received(receiver)).toHaveLength(2);
  });
});

describe('while D1 is away', () => {
  test('and rejects, an alert is sent, and not again when it is back', async () => {
    const job = 'forward-rejecting';
    let run = '';
    await withD1(rejecting, async () => {
      run = await failedRun(job);
      await known();
      expect(await told()).toEqual({ runs: [run], messages: 1 });
    });
    expect(await indexedState(run)).toBeUndefined();
    await pass(job, RETRY_MS);
    await committed(job, run);
    expect(await told()).toEqual({ runs: [run], messages: 1 });
  });

  test('and hangs, alerts of many jobs are sent', async () => {
    const jobs = ['forward-hanging-1', 'forward-hanging-2', 'forward-hanging-3'];
    const wrappers = await Promise.all(jobs.map(startedRun));
    const reports = vi.spyOn(AlertsObject.prototype, 'report');
    const reported = () => new Set(reports.mock.calls.flatMap(([all]) => all.map(({ run }) => run)));
    await withD1(hanging, async () => {
      for (const wrapper of wrappers) await wrapper.completed(FAILED);
      await waitFor('all to be known', () => reported().size === wrappers.length);
    });
    const { runs } = await told();
    expect(runs.toSorted()).toEqual(wrappers.map(({ identity }) => identity.run).toSorted());
  });

  test('alerts are sent of what comes last, however much waits before it', async () => {
    const job = 'forward-much';
    // Ten of these don't fit into one batch.
    const start = { command_line: '\u0001'.repeat(4096) };
    const left_running = Array.from({ length: 64 }, (_, index) => ({ pid: index + 1, command_line: 'x'.repeat(960) }));
    await withD1(rejecting, async () => {
      const runs: string[] = [];
      for (let nth = 0; nth < 10; nth += 1) {
        const wrapper = await TestWrapper.connect(newIdentity(job), start);
        await wrapper.completed({ ...FAILED, left_running });
        runs.push(wrapper.identity.run);
      }
      await pass(job, RETRY_MS);
      await known();
      expect((await told()).runs.toSorted()).toEqual(runs.toSorted());
    });
  });
});

import { runInDurableObject } from 'cloudflare:test';
import { ulid } from 'ulid';
import type * as v from 'valibot';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Occurrence } from '#protocol/alerts';
import type { BrakeCreated } from '#protocol/brakes';
import { waitFor } from '#testing/wait-for';
import { Composer } from '../durable/alerts/compose.ts';
import { sha256 } from '../shared/hash.ts';
import { sweep } from '../src/sweep.ts';
import {
  alertsObject,
  clearAlerts,
  getAlert,
  newAlert,
  nextAlertsAlarm,
  occurrence,
  passAlerts,
  Receivers,
  report,
  restartAlerts,
} from './support/alerts.ts';
import { call, newToken, refusal } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { without } from './support/d1.ts';
import { env } from './support/env.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Longer than a group stays open. */
const GROUP_MS = 5_001;

let receivers: Receivers;

useFakeDate();
beforeAll(() => {
  receivers = Receivers.install();
});
afterAll(() => void vi.unstubAllGlobals());
beforeEach(clearAlerts);

/** What the object does by itself until then. */
async function passUntil(ms: number): Promise<void> {
  const until = Date.now() + ms;
  for (let at = await nextAlertsAlarm(); at !== null && at <= until; at = await nextAlertsAlarm()) {
    await passAlerts(Math.max(0, at - Date.now()));
  }
  vi.setSystemTime(until);
}

/** Begins maintenance, until the end of the test at most. @returns its id */
async function silencedBy(scope: { jobs: string; machines?: string }, ms = HOUR_MS): Promise<string> {
  const body = { ...scope, until: new Date(Date.now() + ms).toISOString(), kill: false };
  const response = await call('POST', '/brakes', { body });
  onTestFinished(async () => void (await env.DB.exec('DELETE FROM brakes')));
  return (await response.json<v.InferOutput<typeof BrakeCreated>>()).brake.id;
}

const failing = () => new Response('no', { status: 500 });
const working = () => new Response('ok');

describe('an occurrence', () => {
  test('is reported to the rules that match it by job, machine, tag and kind', async () => {
    const matching = receivers.open();
    await newAlert(matching, {
      jobs: ['back*', 'etl'],
      machines: 'web*',
      tags: ['nightly', 'prod'],
      on: ['failed', 'lost'],
    });
    const others = await Promise.all(
      [{ jobs: 'etl' }, { machines: 'db*' }, { tags: ['weekly'] }, { on: ['lost' as const] }].map(async (rule) => {
        const url = receivers.open();
        await newAlert(url, rule);
        return url;
      }),
    );
    await report(occurrence({ tags: ['prod'] }));
    await passAlerts(GROUP_MS);
    expect(receivers.received(matching)).toMatchObject([{ kinds: ['failed'], jobs: ['backup'] }]);
    expect(others.map((url) => receivers.received(url))).toEqual([[], [], [], []]);
  });

  test('is reported once, however often it comes, also across a restart', async () => {
    const url = receivers.open();
    await newAlert(url);
    const once = occurrence();
    await report(once, once);
    await report(once);
    await passAlerts(GROUP_MS);
    await restartAlerts();
    await report(once);
    await passUntil(HOUR_MS);
    expect(receivers.received(url)).toMatchObject([{ count: 1 }]);
  });

  test('is not reported if it is a week old, or older than the rule', async () => {
    const before = Date.now();
    vi.setSystemTime(before + SECOND_MS);
    const url = receivers.open();
    await newAlert(url);
    await report(occurrence({ at: before }));
    await passUntil(8 * DAY_MS);
    await report(occurrence({ at: before + 2 * SECOND_MS }));
    await passUntil(HOUR_MS);
    expect(receivers.received(url)).toEqual([]);
  });

  test('has a message with its links, and those of a killable run only if the rule allows it', async () => {
    const [plain, killing] = [receivers.open(), receivers.open()];
    await newAlert(plain, { on: ['slow'] });
    await newAlert(killing, { on: ['slow'], kill_link: true });
    const slow = occurrence({ kind: 'slow', isAlive: true });
    await report(slow);
    await passAlerts(GROUP_MS);
    const page = `https://leash.test/runs/${slow.run}?job=backup`;
    expect(receivers.firstOccurrence(plain)).toMatchObject({ links: { page } });
    expect(receivers.firstOccurrence(killing)).toMatchObject({
      links: { page, kill: expect.stringMatching(/^https:\/\/leash\.test\/k\/[\w-]{43}$/) },
    });

    // One that has ended until then is not killable any more.
    const who = newIdentity('alert-over');
    await (await TestWrapper.connect(who)).completed();
    await report(occurrence({ kind: 'slow', isAlive: true, job: who.job, run: who.run }));
    await passUntil(HOUR_MS);
    expect(receivers.firstOccurrence(killing, 1)).toMatchObject({ run: who.run });
    expect(receivers.firstOccurrence(killing, 1)?.links.kill).toBeUndefined();
  });
});

describe('a storm', () => {
  test('of 300 failing runs is one message', async () => {
    const url = receivers.open();
    const { id } = await newAlert(url);
    for (let nth = 0; nth < 3; nth += 1) {
      const some = Array.from({ length: 100 }, (_, machine) => occurrence({ machine: `web-${nth * 100 + machine}` }));
      await report(...some);
      await passAlerts(SECOND_MS);
    }
    expect(receivers.received(url)).toEqual([]);
    await passAlerts(GROUP_MS);
    expect(receivers.received(url)).toMatchObject([{ count: 300 }]);
    await passUntil(HOUR_MS);
    expect(receivers.received(url)).toHaveLength(1);
    expect((await getAlert(id)).deliveries).toMatchObject([{ state: 'delivered', occurrences: 300, attempts: 1 }]);
  });

  test('has room for a thousand, and counts the rest', async () => {
    const url = receivers.open();
    await newAlert(url);
    await report(...Array.from({ length: 1_100 }, () => occurrence()));
    await passAlerts(GROUP_MS);
    expect(receivers.received(url)).toMatchObject([{ count: 1_100 }]);
  });
});

describe('a receiver that fails', () => {
  test('gets the same message again, and then what has happened meanwhile, in one', async () => {
    const url = receivers.open(failing);
    const { id } = await newAlert(url);
    await report(occurrence({ job: 'first' }));
    await passAlerts(GROUP_MS);
    await report(occurrence({ job: 'second' }));
    await passUntil(10 * MINUTE_MS);
    await report(occurrence({ job: 'third' }));
    await restartAlerts();
    await passUntil(20 * MINUTE_MS);
    const tried = receivers.received(url);
    expect(tried.length).toBeGreaterThan(3);
    expect(new Set(tried.map((message) => message.id)).size).toBe(1);
    expect((await getAlert(id)).deliveries).toMatchObject([
      { state: 'waiting', occurrences: 2, attempts: 0 },
      { state: 'waiting', occurrences: 1, attempts: tried.length, error: expect.stringContaining('500') },
    ]);

    receivers.answer(url, working);
    await passUntil(HOUR_MS);
    const [again, next] = receivers.received(url).slice(tried.length);
    expect(again).toMatchObject({ id: tried[0]?.id, jobs: ['first'] });
    expect(next).toMatchObject({ jobs: ['second', 'third'] });
    expect(await getAlert(id)).toMatchObject({
      broken_since: null,
      deliveries: [{ state: 'delivered' }, { state: 'delivered' }],
    });
  });

  test('gets it again after 5 s, 10 s and so on, at most 15 minutes, or after as long as it asks for', async () => {
    const times: number[] = [];
    const askingFor = (seconds: number) => () => {
      times.push(Date.now());
      return new Response('no', { status: 503, headers: { 'Retry-After': String(seconds) } });
    };
    const url = receivers.open(askingFor(0));
    await newAlert(url);
    await report(occurrence());
    await passUntil(2 * HOUR_MS);
    receivers.answer(url, askingFor(30 * 60));
    await passUntil(2 * HOUR_MS);
    const pauses = times.slice(1).map((time, nth) => time - (times[nth] ?? 0));
    const asked = pauses.splice(pauses.findIndex((pause) => pause >= 30 * MINUTE_MS));
    expect(asked.length).toBeGreaterThan(2);
    expect(new Set(asked)).toEqual(new Set([30 * MINUTE_MS]));
    expect(pauses.length).toBeGreaterThan(10);
    pauses.forEach((pause, nth) => {
      const most = Math.min(15 * MINUTE_MS, 5 * SECOND_MS * 2 ** nth);
      expect(pause).toBeGreaterThanOrEqual(most / 2);
      expect(pause).toBeLessThanOrEqual(most);
    });
  });

  test('is given up after a day, which is shown', async () => {
    const url = receivers.open(failing);
    const { id } = await newAlert(url);
    await report(occurrence({ job: 'first' }));
    await passAlerts(GROUP_MS);
    await report(occurrence({ job: 'second' }));
    await passAlerts(23 * HOUR_MS);
    expect((await getAlert(id)).deliveries[1]).toMatchObject({ state: 'waiting', attempts: 2 });
    await passAlerts(2 * HOUR_MS);
    expect((await getAlert(id)).deliveries).toMatchObject([
      { state: 'waiting', occurrences: 1 },
      { state: 'failed', error: expect.stringContaining('Given up after a day') },
    ]);
    receivers.answer(url, working);
    await passAlerts(GROUP_MS);
    expect(receivers.received(url).at(-1)).toMatchObject({ jobs: ['second'] });
  });

  test('delays neither who reports nor another rule', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    onTestFinished(release);
    const hanging = receivers.open(() => held.then(working));
    const url = receivers.open();
    await newAlert(hanging);
    await newAlert(url, { on: ['lost'] });
    await report(occurrence());
    vi.setSystemTime(Date.now() + GROUP_MS);
    await alertsObject().reconcile();
    await waitFor('the receiver to hang', () => receivers.received(hanging).length === 1);
    await report(occurrence({ kind: 'lost' }));
    vi.setSystemTime(Date.now() + GROUP_MS);
    await alertsObject().reconcile();
    await waitFor('the other to be sent', () => receivers.received(url).length === 1);
    expect(await runInDurableObject(alertsObject(), (object) => object.isIdle)).toBe(false);
    release();
    await passAlerts(0);
  });

  test('is shown, and announced once by the channel of another rule', async () => {
    const [broken, alsoBroken, muted, other] = [
      receivers.open(failing),
      receivers.open(failing),
      receivers.open(),
      receivers.open(),
    ];
    const { id } = await newAlert(broken, { name: 'pager' });
    // None of these can announce it: the same channel, one that fails, and one that is muted. They come first.
    await newAlert(broken, { on: ['lost'] });
    const { id: failed } = await newAlert(alsoBroken, { on: ['lost'] });
    await call('POST', `/alerts/${failed}/test`);
    await newAlert(muted, { on: ['lost'], muted_until: new Date(Date.now() + DAY_MS).toISOString() });
    vi.setSystemTime(Date.now() + SECOND_MS);
    const announcer = await newAlert(other, { name: 'chat', on: ['lost'] });
    await silencedBy({ jobs: 'leash' });
    await report(occurrence());
    await passAlerts(GROUP_MS);
    expect(receivers.received(broken)).toHaveLength(1);
    expect((await getAlert(announcer.id)).deliveries).toEqual([]);
    await passUntil(10 * MINUTE_MS);
    for (const url of [broken, alsoBroken, muted]) {
      expect(receivers.received(url).map(({ kinds }) => kinds)).not.toContainEqual(['channel_broken']);
    }
    expect(await getAlert(id)).toMatchObject({
      broken_since: expect.any(String),
      last_failure: { at: expect.any(String), error: expect.stringContaining('500') },
    });
    expect(receivers.received(other)).toMatchObject([{ kinds: ['channel_broken'], count: 1 }]);
    expect(receivers.firstOccurrence(other)).toMatchObject({
      summary: expect.stringContaining('“pager”'),
      links: { page: 'https://leash.test/alerts' },
    });
    await passUntil(2 * HOUR_MS);
    expect(receivers.received(other)).toHaveLength(1);
    receivers.answer(broken, working);
    await passUntil(HOUR_MS);
    expect((await getAlert(id)).broken_since).toBeNull();
    receivers.answer(broken, failing);
    await report(occurrence());
    await passUntil(HOUR_MS);
    expect(receivers.received(other)).toHaveLength(2);
    expect(receivers.received(muted)).toEqual([]);
  });

  test('for good is announced at once, by the rules that ask for it, if any do', async () => {
    const gone = () => new Response('no such hook', { status: 410 });
    const [broken, chosen, other] = [receivers.open(gone), receivers.open(), receivers.open()];
    const { id } = await newAlert(broken);
    await newAlert(other, { on: ['lost'] });
    await newAlert(chosen, { on: ['channel_broken'] });
    await report(occurrence());
    await passUntil(10 * MINUTE_MS);
    expect((await getAlert(id)).deliveries).toMatchObject([{ state: 'failed', attempts: 1 }]);
    expect(receivers.received(chosen)).toMatchObject([{ kinds: ['channel_broken'] }]);
    expect(receivers.received(other)).toEqual([]);
  });

  test('is tried at once when its channel is changed', async () => {
    const [wrong, right] = [receivers.open(failing), receivers.open()];
    const { id } = await newAlert(wrong);
    await report(occurrence());
    await passUntil(HOUR_MS);
    const response = await call('PATCH', `/alerts/${id}`, { body: { channel: { kind: 'webhook', url: right } } });
    expect(await response.json()).toMatchObject({ alert: { broken_since: null, channel: { has_secret: true } } });
    await passAlerts(0);
    expect(receivers.received(right)).toHaveLength(1);
  });
});

test('a message whose channel is changed while it fails for good goes to the new one', async () => {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const wrong = receivers.open(() => answered.then(() => new Response('no such hook', { status: 410 })));
  const right = receivers.open();
  const { id } = await newAlert(wrong);
  await report(occurrence());
  vi.setSystemTime(Date.now() + GROUP_MS);
  await alertsObject().reconcile();
  await waitFor('an attempt', () => receivers.received(wrong).length === 1);
  await call('PATCH', `/alerts/${id}`, { body: { channel: { kind: 'webhook', url: right } } });
  answer();
  await passAlerts(0);
  await waitFor('the other attempt', () => receivers.received(right).length === 1);
  expect(await getAlert(id)).toMatchObject({ broken_since: null, last_failure: null, deliveries: [{ error: null }] });
});

test('a message that could not be put together is tried again', async () => {
  const url = receivers.open();
  const { id } = await newAlert(url);
  vi.spyOn(Composer.prototype, 'compose').mockRejectedValueOnce(new Error('a fault of ours'));
  await report(occurrence());
  await passAlerts(GROUP_MS);
  expect(receivers.received(url)).toEqual([]);
  await passUntil(MINUTE_MS);
  expect(receivers.received(url)).toHaveLength(1);
  expect((await getAlert(id)).deliveries).toMatchObject([{ state: 'delivered', attempts: 2 }]);
});

test('what waits is dropped with its rule, and nothing is left to be done', async () => {
  const url = receivers.open(failing);
  const { id } = await newAlert(url);
  await report(occurrence());
  await passAlerts(GROUP_MS);
  await report(occurrence());
  await call('DELETE', `/alerts/${id}`);
  await passUntil(MINUTE_MS);
  expect(receivers.received(url)).toHaveLength(1);
  expect(await nextAlertsAlarm()).toBeNull();
});

describe('a rule is silent', () => {
  test('while it is muted, which ends by itself', async () => {
    const url = receivers.open();
    const { id } = await newAlert(url);
    await report(occurrence({ job: 'held-back' }));
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    await call('PATCH', `/alerts/${id}`, { body: { muted_until: until } });
    await passUntil(HOUR_MS - SECOND_MS);
    expect((await getAlert(id)).deliveries).toEqual([]);
    // What it would report is sent only after the mute, but has happened before its end.
    const muted = occurrence({ job: 'muted' });
    await report(muted);
    await passUntil(HOUR_MS);
    expect(receivers.received(url)).toEqual([]);
    // It comes again, as after an outage of D1: it was muted when it happened.
    await report(muted, occurrence({ job: 'later' }));
    await passAlerts(GROUP_MS);
    expect(receivers.received(url)).toMatchObject([{ jobs: ['later'] }]);
  });

  test('also with what waits to be sent again, which is shown', async () => {
    const url = receivers.open(failing);
    const { id } = await newAlert(url);
    await report(occurrence());
    await passAlerts(GROUP_MS);
    receivers.answer(url, working);
    await call('PATCH', `/alerts/${id}`, { body: { muted_until: new Date(Date.now() + HOUR_MS).toISOString() } });
    await passUntil(2 * HOUR_MS);
    expect(receivers.received(url)).toHaveLength(1);
    const [delivery] = (await getAlert(id)).deliveries;
    expect(delivery).toMatchObject({ state: 'failed', error: expect.stringContaining('muted') });
  });

  test('of what an active brake or maintenance matches, also while D1 is away', async () => {
    const url = receivers.open();
    await newAlert(url);
    await silencedBy({ jobs: 'back*', machines: 'web*' });
    await report(occurrence(), occurrence({ machine: 'db1' }));
    await passAlerts(GROUP_MS);
    expect(receivers.received(url)).toMatchObject([{ count: 1 }]);
    await without(['brakes'], async () => {
      await report(occurrence());
      await passUntil(30 * MINUTE_MS);
    });
    expect(receivers.received(url)).toHaveLength(1);
    await passUntil(30 * MINUTE_MS);
    await report(occurrence());
    await passUntil(HOUR_MS);
    expect(receivers.received(url)).toHaveLength(2);
  });
});

test.each(['by itself', 'early'])(
  'what maintenance has silenced stays silent, though it ends %s before the message is sent',
  async (how) => {
    const url = receivers.open();
    await newAlert(url);
    await report(occurrence());
    await passAlerts(GROUP_MS);
    // From here on the rule holds back what comes.
    await report(occurrence({ machine: 'before' }));
    vi.setSystemTime(Date.now() + SECOND_MS);
    const brake = await silencedBy({ jobs: 'backup' }, 10 * SECOND_MS);
    await report(occurrence({ at: Date.now() + SECOND_MS }));
    vi.setSystemTime(Date.now() + 2 * SECOND_MS);
    if (how === 'early') expect((await call('DELETE', `/brakes/${brake}`)).status).toBe(204);
    await report(occurrence({ at: Date.now() + 9 * SECOND_MS, machine: 'after' }));
    await passAlerts(10 * SECOND_MS);
    await sweep(env);
    await passUntil(HOUR_MS);
    expect(receivers.received(url).map(({ body }) => body.occurrences.map(({ machine }) => machine))).toEqual([
      ['web1'],
      ['before', 'after'],
    ]);
  },
);

describe('what is over', () => {
  const fine = (fields = {}) => occurrence({ kind: 'fine', summary: 'succeeded after 3s', exitCode: 0, ...fields });

  test('is reported as recovered, once, and asked for only while something is wrong', async () => {
    const url = receivers.open();
    await newAlert(url, { on: ['failed', 'recovered'] });
    const wanted = async (...all: readonly Occurrence[]) => (await alertsObject().report(all)).kinds;
    expect(await wanted()).toEqual(['failed']);
    expect(await wanted(occurrence())).toEqual(['failed', 'fine']);
    await passAlerts(GROUP_MS);
    await passAlerts(MINUTE_MS);
    expect(await wanted(fine({ machine: 'web2' }))).toEqual(['failed', 'fine']);
    expect(await wanted(fine())).toEqual(['failed']);
    await passUntil(HOUR_MS);
    expect(receivers.received(url).map(({ kinds }) => kinds)).toEqual([['failed'], ['recovered']]);
    expect(receivers.firstOccurrence(url, 1)).toMatchObject({ summary: 'succeeded after 3s, 1m 05s after: failed' });
  });

  test('is not the title of a message that reports a problem as well', async () => {
    const url = receivers.open();
    await newAlert(url, { on: ['failed', 'recovered'] });
    await report(occurrence());
    await passAlerts(GROUP_MS);
    await passAlerts(MINUTE_MS);
    await report(fine());
    vi.setSystemTime(Date.now() + 1);
    await report(occurrence({ machine: 'web2' }));
    await passUntil(HOUR_MS);
    expect(receivers.received(url).map(({ kinds }) => kinds)).toEqual([['failed'], ['failed', 'recovered']]);
  });

  test('is not reported if it was never reported that it was wrong', async () => {
    const url = receivers.open();
    const { id } = await newAlert(url, { on: ['failed', 'recovered'] });
    await call('PATCH', `/alerts/${id}`, { body: { muted_until: new Date(Date.now() + MINUTE_MS).toISOString() } });
    await report(occurrence());
    await passUntil(HOUR_MS);
    await report(fine());
    await silencedBy({ jobs: 'silenced' });
    const silenced = { job: 'silenced' };
    await report(occurrence(silenced));
    await passUntil(2 * HOUR_MS);
    await report(fine(silenced));
    await passUntil(HOUR_MS);
    expect(receivers.received(url)).toEqual([]);
  });

  test('a schedule that is kept again ends what was late, and a lost run that returns its own loss', async () => {
    const url = receivers.open();
    await newAlert(url, { on: ['late', 'lost', 'failed', 'recovered'] });
    const run = ulid();
    await report(
      occurrence({ kind: 'late', run: null, id: 'backup/web1:late:1' }),
      occurrence({ kind: 'lost', run }),
      occurrence(),
    );
    await passAlerts(GROUP_MS);
    await report(fine({ run: null, id: 'backup/web1:ok:2' }));
    await passUntil(HOUR_MS);
    await report(fine({ run, isAlive: true, summary: 'has reconnected' }));
    await passUntil(HOUR_MS);
    await report(fine({ id: 'in-the-past', at: Date.now() - DAY_MS }));
    await report(fine());
    await passUntil(HOUR_MS);
    expect(
      receivers
        .received(url)
        .slice(1)
        .map((_, nth) => receivers.firstOccurrence(url, nth + 1)?.summary),
    ).toEqual([
      expect.stringContaining('after: late'),
      expect.stringContaining('after: lost'),
      expect.stringContaining('after: failed'),
    ]);
  });
});

describe('what is left on a machine', () => {
  test('is not over because the run that left it has ended well, however often that comes', async () => {
    const url = receivers.open();
    await newAlert(url, { on: ['leftovers', 'recovered'] });
    const run = ulid();
    const ended = occurrence({ kind: 'fine', run });
    const left = occurrence({ kind: 'leftovers', run });
    await report(ended, left);
    // As after an outage of D1, or when the run changes once more.
    await report(ended, left);
    await passUntil(HOUR_MS);
    expect(receivers.received(url).map(({ kinds }) => kinds)).toEqual([['leftovers']]);
    await report(occurrence({ kind: 'fine' }));
    await passUntil(HOUR_MS);
    expect(receivers.received(url).map(({ kinds }) => kinds)).toEqual([['leftovers'], ['recovered']]);
  });
});

describe('a kill link', () => {
  async function killLinks(url: string): Promise<string[]> {
    return receivers.received(url).map((_, nth) => {
      const link = receivers.firstOccurrence(url, nth)?.links.kill;
      return sha256(String(link).split('/').at(-1) ?? '');
    });
  }

  test('is for one run and one use, whichever of the attempts brought it', async () => {
    const url = receivers.open(failing);
    await newAlert(url, { on: ['slow'], kill_link: true, name: 'pager' });
    const slow = occurrence({ kind: 'slow', isAlive: true });
    await report(slow);
    await passUntil(MINUTE_MS);
    const [first = '', second = ''] = await killLinks(url);
    expect(first).not.toBe(second);
    const object = alertsObject();
    expect(await object.killLink(first)).toMatchObject({ job: 'backup', run: slow.run, alert: 'pager', usedAt: null });
    expect(await object.killLink(sha256('another'))).toBeNull();
    expect(await object.useKillLink(second)).toBe(true);
    expect(await object.useKillLink(first)).toBe(false);
    expect(await object.killLink(first)).toMatchObject({ usedAt: Date.now() });
    // Nor does the message bring a new one when it is sent again.
    await passUntil(MINUTE_MS);
    const all = await killLinks(url);
    expect(all.length).toBeGreaterThan(2);
    expect(await object.useKillLink(all.at(-1) ?? '')).toBe(false);
  });

  test('ends after a day, and with its rule', async () => {
    const url = receivers.open();
    const { id } = await newAlert(url, { on: ['slow'], kill_link: true });
    await report(occurrence({ kind: 'slow', isAlive: true }), occurrence({ kind: 'slow', isAlive: true }));
    await passAlerts(GROUP_MS);
    const [link = ''] = await killLinks(url);
    vi.setSystemTime(Date.now() + DAY_MS);
    expect(await alertsObject().useKillLink(link)).toBe(false);
    expect(await alertsObject().killLink(link)).not.toBeNull();
    await call('PATCH', `/alerts/${id}`, { body: { kill_link: false } });
    expect(await alertsObject().killLink(link)).toBeNull();
    await call('PATCH', `/alerts/${id}`, { body: { kill_link: true } });
    expect(await alertsObject().killLink(link)).not.toBeNull();
    await call('DELETE', `/alerts/${id}`);
    expect(await alertsObject().killLink(link)).toBeNull();
  });
});

describe('the API', () => {
  test('creates, lists, changes and deletes alerts, and never answers a secret', async () => {
    const secret = 'not-to-be-answered';
    const url = receivers.open();
    const slack = 'https://hooks.slack.com/services/T0/B0/also-secret';
    const alert = await newAlert(url, { channel: { kind: 'webhook', url: `${url}?key=hidden`, secret } });
    vi.setSystemTime(Date.now() + SECOND_MS);
    await newAlert(slack, { channel: { kind: 'slack', url: slack } });
    const answers = [
      await (await call('GET', '/alerts?limit=1')).text(),
      await (await call('GET', '/alerts')).text(),
      await (await call('GET', `/alerts/${alert.id}`)).text(),
      await (await call('PATCH', `/alerts/${alert.id}`, { body: { name: 'renamed' } })).text(),
      await (await call('GET', '/audit')).text(),
    ];
    for (const text of answers) expect(text).not.toMatch(/not-to-be-answered|also-secret|hidden/);
    const [first = ''] = answers;
    const page = JSON.parse(first) as { alerts: unknown[]; next_cursor: string };
    expect(page.alerts).toMatchObject([{ id: alert.id, channel: { kind: 'webhook', has_secret: true } }]);
    expect(page.next_cursor).toBe(alert.id);
    expect(await getAlert(alert.id)).toMatchObject({
      name: 'renamed',
      on: ['failed'],
      jobs: ['*'],
      created_by: 'admin',
    });
    expect((await call('DELETE', `/alerts/${alert.id}`)).status).toBe(204);
    expect(await refusal(call('DELETE', `/alerts/${alert.id}`))).toBe('404 unknown_alert');
    expect(await refusal(call('GET', `/alerts/${alert.id}`))).toBe('404 unknown_alert');
    expect(await refusal(call('PATCH', `/alerts/${alert.id}`, { body: {} }))).toBe('404 unknown_alert');
    expect(await refusal(call('POST', `/alerts/${alert.id}/test`))).toBe('404 unknown_alert');
  });

  test('refuses what is no alert, and the 501st', async () => {
    const channel = { kind: 'webhook', url: receivers.open(), secret: 'a-secret-of-this-test' };
    const bad = [
      { name: 'a', on: [], channel },
      { name: 'a', on: ['exploded'], channel },
      { name: '', on: ['failed'], channel },
      { name: 'a', on: ['failed'], channel, jobs: 'a b' },
      { name: 'a', on: ['failed'] },
      { name: 'a', on: ['failed'], channel, muted_until: 'tomorrow' },
      { name: 'a', on: ['failed'], channel, muted_until: '2999-02-30T00:00:00Z' },
    ];
    for (const body of bad) expect(await refusal(call('POST', '/alerts', { body }))).toBe('400 bad_request');
    const { id } = await newAlert(channel.url);
    await runInDurableObject(alertsObject(), (_object, { storage: { sql } }) => {
      const [columns] = sql
        .exec<{ names: string }>(
          "SELECT group_concat(name) AS names FROM pragma_table_info('rules') WHERE name <> 'id'",
        )
        .toArray();
      sql.exec(
        `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 499)
         INSERT INTO rules (id, ${columns?.names}) SELECT ?1 || n, ${columns?.names} FROM rules, n WHERE id = ?1`,
        id,
      );
    });
    await restartAlerts();
    expect(await refusal(call('POST', '/alerts', { body: { name: 'a', on: ['failed'], channel } }))).toBe(
      '409 too_many_alerts',
    );
  });

  test('sends a test at once, past mute and queue, and says what came of it', async () => {
    const url = receivers.open();
    const alert = await newAlert(url, { muted_until: new Date(Date.now() + HOUR_MS).toISOString() });
    const tested = await call('POST', `/alerts/${alert.id}/test`);
    expect(await tested.json()).toEqual({ delivered: true, error: null });
    expect(receivers.received(url)).toMatchObject([{ body: { is_test: true } }]);
    receivers.answer(url, failing);
    const again = await call('POST', `/alerts/${alert.id}/test`);
    expect(await again.json()).toMatchObject({ delivered: false, error: expect.stringContaining('500') });
    const failedAt = new Date().toISOString();
    // Whoever opens the page later sees when, and why.
    const failure = { at: failedAt, error: expect.stringContaining('500') };
    vi.setSystemTime(Date.now() + SECOND_MS);
    await restartAlerts();
    expect(await getAlert(alert.id)).toMatchObject({ broken_since: failedAt, last_failure: failure });
    receivers.answer(url, working);
    await call('POST', `/alerts/${alert.id}/test`);
    expect(await getAlert(alert.id)).toMatchObject({ broken_since: null, last_failure: failure });
    await call('PATCH', `/alerts/${alert.id}`, { body: { channel: { kind: 'webhook', url: receivers.open() } } });
    expect(await getAlert(alert.id)).toMatchObject({ broken_since: null, last_failure: null });
  });

  test('records who did what, at the latest when D1 is back', async () => {
    const { token, secret } = await newToken({ name: 'ada', scopes: ['admin'] });
    const url = receivers.open();
    const entries = async () => {
      const response = await call('GET', `/audit?actor=${token.id}`);
      const { audit } = await response.json<{ audit: { action: string; subject: string; detail: object }[] }>();
      return audit.map(({ action, subject, detail }) => ({ action, subject, detail }));
    };
    const created = await call('POST', '/alerts', {
      token: secret,
      body: { name: 'pager', on: ['failed'], channel: { kind: 'webhook', url, secret: 'a-secret-of-this-test' } },
    });
    const { id } = (await created.json<{ alert: { id: string } }>()).alert;
    expect(await entries()).toMatchObject([
      { action: 'alert_created', subject: id, detail: { name: 'pager', channel: 'webhook' } },
    ]);
    const by = { actor: { id: token.id, name: 'ada' }, address: null, requestId: 'r', origin: 'https://leash.test' };
    await without(['audit'], async () => {
      expect(await alertsObject().remove(id, by)).toBe(true);
      await passAlerts(MINUTE_MS);
    });
    await passUntil(MINUTE_MS);
    expect(await entries()).toMatchObject([{ action: 'alert_deleted', subject: id }, { action: 'alert_created' }]);
  });
});

import { exports } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AlertsObject } from '../durable/alerts/alerts-object.ts';
import { JobObject } from '../durable/job/job-object.ts';
import { sha256 } from '../shared/hash.ts';
import type { KillLink } from '../shared/rpc/alerts-object.ts';
import { killLinkPage } from '../src/kill-links/page.ts';
import { HOSTILE } from './support/alert-message.ts';
import { call, getKill, ORIGIN } from './support/api.ts';
import { env } from './support/env.ts';
import { run, runEvents } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const SECRET = 'k'.repeat(43);
const HOUR_MS = 3_600_000;

let links: Map<string, KillLink>;

beforeEach(() => {
  links = new Map();
  vi.spyOn(AlertsObject.prototype, 'killLink').mockImplementation((hash) => links.get(hash) ?? null);
  vi.spyOn(AlertsObject.prototype, 'useKillLink').mockImplementation((hash) => {
    const link = links.get(hash);
    if (link === undefined || link.usedAt !== null) return false;
    links.set(hash, { ...link, usedAt: Date.now() });
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

function addLink({ job, run }: { job: string; run: string }, given: Partial<KillLink> = {}): void {
  const link = { job, run, alert: 'on call', expiresAt: Date.now() + HOUR_MS, usedAt: null, ...given };
  links.set(sha256(SECRET), link);
}

function open(method = 'GET', secret = SECRET): Promise<Response> {
  return exports.default.fetch(new Request(`${ORIGIN}/k/${secret}`, { method, redirect: 'manual' }));
}

async function shows(secret?: string): Promise<string> {
  const html = await (await open('GET', secret)).text();
  return html
    .replaceAll(/<(style|title)>.*?<\/\1>/gs, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

async function killsOf(job: string) {
  const response = await call('GET', `/kills?job=${job}`);
  return (await response.json<{ kills: { id: string; requested_by: string; run: string }[] }>()).kills;
}

test('a link shows its run, what it printed last, and a button', async () => {
  const who = newIdentity('link-shows');
  const wrapper = await TestWrapper.connect(who);
  wrapper.print(0, 'copying \u001b[31ma\u001b[0m\ncopying b\n');
  await wrapper.settled();
  addLink(who);
  const response = await open();
  expect(response.status).toBe(200);
  const html = await response.text();
  for (const text of [who.job, who.machine, 'copying a\ncopying b', '<button>Kill this run</button>']) {
    expect(html).toContain(text);
  }
  expect(html).not.toContain('<script');
});

test('no cache, search engine, other site or frame gets at it', async () => {
  const who = newIdentity('link-headers');
  await TestWrapper.connect(who);
  addLink(who);
  const { headers } = await open();
  expect(Object.fromEntries(headers)).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-robots-tag': 'noindex, nofollow, noarchive',
    'x-content-type-options': 'nosniff',
    'content-type': 'text/html; charset=UTF-8',
    'content-security-policy': expect.stringMatching(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    ),
  });
});

test('looking at it kills nothing, however often', async () => {
  const who = newIdentity('link-preview');
  await TestWrapper.connect(who);
  addLink(who);
  for (const method of ['GET', 'HEAD', 'GET']) expect((await open(method)).status).toBe(200);
  for (const method of ['PUT', 'DELETE', 'PATCH']) expect((await open(method)).status).toBe(404);
  expect(await killsOf(who.job)).toEqual([]);
  expect(await shows()).toContain('Kill this run');
});

test('using it kills this run alone, in the name of the alert', async () => {
  const who = newIdentity('link-kills');
  const other = newIdentity('link-kills', 'other.example.com');
  const wrapper = await TestWrapper.connect(who);
  await TestWrapper.connect(other);
  addLink(who);
  const response = await open('POST');
  expect(response.status).toBe(303);
  expect(response.headers.get('Location')).toBe(`/k/${SECRET}`);
  expect(await wrapper.kill()).toMatchObject({ requested_by: 'alert on call' });
  expect(await shows()).toMatch(/The kill is in progress.*works only once/);
  expect((await open()).headers.get('Content-Security-Policy')).not.toBeNull();

  await wrapper.completed();
  expect(await shows()).toMatch(/This run has ended.*It was killed \(exit code 143\)/);
  expect(await run(other.job, other.run)).toMatchObject({ state: 'running' });
  expect(await runEvents(who.job, who.run)).toContainEqual(
    expect.objectContaining({ type: 'kill_requested', requested_by: 'alert on call' }),
  );
  const { audit } = await (await call('GET', `/audit?subject=${who.job}`)).json<{
    audit: { actor: { name: string }; action: string }[];
  }>();
  expect(audit).toMatchObject([{ action: 'kill', actor: { id: 'kill-link', name: 'alert on call' } }]);
});

test('it works once: two taps, and one that is repeated because the answer was lost, are one kill', async () => {
  const who = newIdentity('link-once');
  const wrapper = await TestWrapper.connect(who);
  addLink(who);
  // The kill is stored, and the link can't be used up.
  vi.mocked(AlertsObject.prototype.useKillLink).mockImplementationOnce(() => {
    throw new Error('the object is away');
  });
  expect((await open('POST')).status).toBe(303);
  await Promise.all([open('POST'), open('POST')]);
  const { kill } = await wrapper.kill();
  expect(await killsOf(who.job)).toMatchObject([{ id: kill, run: who.run }]);
  await wrapper.completed();
  expect((await getKill(kill)).state).toBe('settled');
  await open('POST');
  expect(await killsOf(who.job)).toHaveLength(1);
});

test('after its time, and after the end of its run, it kills nothing and says so', async () => {
  const who = newIdentity('link-late');
  const wrapper = await TestWrapper.connect(who);
  addLink(who, { expiresAt: Date.now() - 1 });
  expect((await open('POST')).status).toBe(303);
  expect((await open()).status).toBe(410);
  expect(await shows()).toMatch(/This link has expired.*sign in to Leash/);

  addLink(who, { expiresAt: Date.now() - 1, usedAt: Date.now() - HOUR_MS });
  expect((await open('POST')).status).toBe(303);
  expect(await killsOf(who.job)).toEqual([]);

  await wrapper.completed();
  addLink(who);
  expect((await open('POST')).status).toBe(303);
  expect(await shows()).toMatch(/This run has ended.*There is nothing left to kill/);
  expect(await killsOf(who.job)).toEqual([]);
});

test('of a run that has ended it kills what that left running', async () => {
  const who = newIdentity('link-left');
  const left = [{ pid: 4711, command_line: 'sleep <1000>' }];
  const exited = { exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited', left_running: left } as const;
  const wrapper = await TestWrapper.connect(who);
  await wrapper.completed(exited);
  wrapper.close();
  const keeper = await TestWrapper.connect(who, { phase: 'ended' });
  await keeper.completed(exited);
  addLink(who);
  expect(await shows()).toMatch(/Kill what this run left running\?.*4711 sleep &lt;1000&gt;.*Kill what is left/);
  expect((await open('POST')).status).toBe(303);
  const { kill } = await keeper.kill();
  expect(await shows()).toMatch(/It succeeded \(exit code 0\)\. Some processes are left/);
  keeper.killing(kill, 'gone');
  keeper.say({ type: 'left_running', processes: [] });
  await keeper.settled();
  expect(await shows()).not.toContain('are left');
});

test('a wrong link does nothing, and too many of them from one address are not looked up', async () => {
  const who = newIdentity('link-wrong');
  await TestWrapper.connect(who);
  addLink(who);
  for (const method of ['GET', 'POST']) expect((await open(method, 'x'.repeat(43))).status).toBe(404);
  expect(await shows('x'.repeat(43))).toContain('This link does nothing');
  expect(await shows('no')).toContain('This link does nothing');
  expect(AlertsObject.prototype.killLink).not.toHaveBeenCalledWith(sha256('no'));

  const from = (secret: string) =>
    exports.default.fetch(new Request(`${ORIGIN}/k/${secret}`, { headers: { 'CF-Connecting-IP': '2001:db8::link' } }));
  vi.spyOn(env.FAILED_SIGN_INS, 'limit').mockResolvedValue({ success: false });
  const refused = await from('x'.repeat(43));
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '60']);
  // Whoever has the right one is let in all the same.
  expect((await from(SECRET)).status).toBe(200);
});

test('its secret gets into no log line', async () => {
  const who = newIdentity('link-log');
  await TestWrapper.connect(who);
  addLink(who);
  const lines = vi.spyOn(console, 'log');
  await open();
  await open('POST');
  const text = lines.mock.calls.flat().join('\n');
  expect(text).toContain('/k/{secret}');
  expect(text).not.toContain(SECRET);
});

test('what cannot be read or done is a page, too', async () => {
  const who = newIdentity('link-away');
  await TestWrapper.connect(who);
  addLink(who);
  vi.spyOn(JobObject.prototype, 'outputExtent').mockRejectedValue(new Error('no output'));
  expect(await shows()).toMatch(/The output can’t be read right now.*Kill this run/);
  vi.mocked(AlertsObject.prototype.killLink).mockImplementation(() => {
    throw new Error('away');
  });
  for (const method of ['GET', 'POST']) {
    const response = await open(method);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('Leash can’t answer right now');
  }
});

test('all text of others is escaped', async () => {
  const who = newIdentity('link-hostile');
  await TestWrapper.connect(who);
  const reported = await run(who.job, who.run);
  if (reported === null) throw new Error('the run is unknown');
  const about = {
    tags: [],
    owner: HOSTILE,
    note: `</dd><img src=x onerror=alert(1)>${HOSTILE}`,
    runbook: 'javascript:alert(1)',
  };
  const hostile = { ...reported, machine: HOSTILE, command_line: `sh -c '</code>${HOSTILE}'`, about };
  const tail = { text: `</pre></div>${HOSTILE}`, isCut: true };
  const html = String(
    await killLinkPage({ kind: 'ready', run: hostile, tail, expiresAt: Date.now() + HOUR_MS }, Date.now()),
  );
  expect(html).not.toMatch(/<script|<img|href="javascript:|\u202e/);
  expect([...html.matchAll(/<(\/?pre|\/?code|button|form)\b/g)].map(([, name]) => name)).toEqual([
    'pre',
    '/pre',
    'code',
    '/code',
    'form',
    'button',
  ]);
});

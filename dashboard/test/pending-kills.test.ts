import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '#protocol/api';
import { WAIT } from '#testing/patience';
import { disownCalls } from '../src/api/http.ts';
import { kills, resyncKills, upsertKills } from '../src/state/kills.ts';
import {
  clearPendingKills,
  failureText,
  isProgressLoading,
  pendingKillOf,
  pendingKills,
  requestKill,
  restorePendingKills,
  retryKill,
  runsInGrace,
} from '../src/state/pending-kills.ts';
import type { PendingKill } from '../src/state/saved-kills.ts';
import { store } from '../src/state/store.ts';
import { makeKill, makeRun, runId } from './make.ts';

/** What a call is answered by: a response, or silence. */
let answer: (path: string, body: { runs?: { job: string; run: string }[] }) => Response | Promise<Response>;

const WHO: Session = { name: 'night shift', scopes: ['read', 'kill'], jobs: '*', expires_at: null };

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => kept.set(key, text),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) =>
    answer(path, JSON.parse(String(init.body ?? '{}'))),
  );
});

afterEach(() => {
  clearPendingKills();
  store.clear();
  vi.unstubAllGlobals();
});

const made: PendingKill = {
  id: 'one',
  scope: { kind: 'runs', runs: [{ id: runId(1), job: 'backup', machine: 'm1' }] },
  options: {},
  state: { kind: 'stored', kills: [] },
};
const runs = (count: number) => Array.from({ length: count }, (_, n) => makeRun({ id: runId(n) }));
const stored = (ids: readonly string[]) =>
  Response.json({ kills: ids.map((run) => makeKill({ id: run, run })) }, { status: 202 });
const problem = (status: number) =>
  Response.json({ type: 'about:blank', title: 'No', status, code: 'forbidden', detail: 'No.' }, { status });

async function stateOf(kind: PendingKill['state']['kind']): Promise<PendingKill> {
  return await vi.waitFor(() => {
    const pending = pendingKills.value.find(({ state }) => state.kind === kind);
    if (pending === undefined) throw new Error(`no kill is ${kind}`);
    return pending;
  }, WAIT);
}

function textOf({ state }: PendingKill): string {
  return state.kind === 'failed' ? failureText(state) : '';
}

test('a kill that was stored in part says which part, and that part is followed', async () => {
  const idsOf = (body: { runs?: { run: string }[] }) => (body.runs ?? []).map(({ run }) => run);
  answer = (_, body) => (idsOf(body).includes(runId(0)) ? stored(idsOf(body)) : problem(503));
  requestKill({ kind: 'runs', runs: runs(600) }, {});
  const pending = await stateOf('failed');
  expect(textOf(pending)).toContain('first 500 were confirmed');
  expect(kills.value.size).toBe(500);

  answer = (_, body) => stored(idsOf(body));
  retryKill(pending);
  expect((await stateOf('stored')).state).toMatchObject({ kills: { length: 600 } });
});

test('picked runs are named with their jobs, and a kill of one run isn’t a kill of another with the same id', async () => {
  const real = makeRun({ id: runId(1), job: 'backup' });
  const evil = makeRun({ id: runId(1), job: 'evil' });
  const other = makeRun({ id: runId(2), job: 'backup' });
  const named: unknown[] = [];
  answer = (_, body) => {
    named.push(body.runs);
    return stored([runId(1), runId(2)]);
  };
  requestKill({ kind: 'runs', runs: [real, other] }, { signal: 'SIGTERM' });
  await stateOf('stored');
  expect(named).toEqual([
    [
      { job: 'backup', run: runId(1) },
      { job: 'backup', run: runId(2) },
    ],
  ]);

  pendingKills.value = [{ ...made, scope: { kind: 'runs', runs: [real] } }];
  expect(pendingKillOf(real)).not.toBe(null);
  expect(pendingKillOf(evil)).toBe(null);
  const target = {
    run: runId(1),
    machine: 'm1',
    signal: null,
    exit_code: null,
    survivors: [],
    unnamed_survivors: false,
    related: [],
    related_count: 0,
    timing: null,
  };
  const sent = [makeKill({ job: 'backup', targets: [{ ...target, state: 'term' }] })];
  expect(runsInGrace(sent, [real, evil])).toEqual([real]);
});

test('a missing response isn’t reported as “nothing was killed”', async () => {
  answer = () => Promise.reject(new TypeError('cut off'));
  requestKill({ kind: 'runs', runs: runs(1) }, {});
  const pending = await stateOf('failed');
  expect(textOf(pending)).toContain('Couldn’t confirm this kill.');

  answer = () => problem(403);
  retryKill(pending);
  await vi.waitFor(() => expect(textOf(pendingKills.value[0] as PendingKill)).toBe('Not killed: No.'), WAIT);
});

test('a response after a sign-out is not kept for the next person', async () => {
  let respond: (response: Response) => void = () => undefined;
  answer = () => new Promise((resolve) => (respond = resolve));
  requestKill({ kind: 'runs', runs: runs(2) }, {});
  disownCalls();
  respond(stored([runId(0), runId(1)]));
  await stateOf('failed');
  expect(kills.value.size).toBe(0);
});

test('after a lost link all kills in progress are fetched again, however many are newer', async () => {
  const ids = Array.from({ length: 7 }, (_, n) => runId(n)).reverse();
  upsertKills([makeKill({ id: runId(2), seq: 1, state: 'delivered' })]);
  const asked: (string | null)[] = [];
  const failure = await resyncKills(async (cursor) => {
    asked.push(cursor);
    const from = cursor === null ? 0 : ids.indexOf(cursor) + 1;
    const page = ids.slice(from, from + 2);
    const items = page.map((id) => makeKill({ id, seq: 2, state: 'settled' }));
    return { ok: true, value: { items, next: page.at(-1) ?? null } };
  });
  expect(failure).toBe(null);
  expect(kills.value.get(runId(2))?.state).toBe('settled');
  expect(asked).toHaveLength(3);

  // What nobody waits for is not asked for.
  await resyncKills(() => Promise.reject(new Error('not to be asked')));
});

/** The page is loaded anew: of what it knew, only what the tab keeps is left. */
function reload(): void {
  pendingKills.value = [];
  store.clear();
}

test('a reload loses no pending kill, and one without a response can be retried with its key', async () => {
  const sent: (string | null)[] = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    if (init.method === 'POST') sent.push(new Headers(init.headers).get('Idempotency-Key'));
    const id = path.split('/kills/')[1];
    return id === undefined
      ? new Promise(() => {})
      : Promise.resolve(Response.json({ kill: makeKill({ id, state: 'settled' }) }));
  });
  const end = restorePendingKills(WHO);
  requestKill({ kind: 'runs', runs: runs(2) }, { reason: 'too slow' });
  pendingKills.value = [...pendingKills.value, { ...made, id: 'done', state: { kind: 'stored', kills: [runId(7)] } }];
  end();
  reload();

  restorePendingKills(WHO)();
  const pending = await stateOf('failed');
  expect(pending).toMatchObject({
    scope: { runs: [{ id: runId(0) }, { id: runId(1) }] },
    options: { reason: 'too slow' },
  });
  expect(textOf(pending)).toContain('Couldn’t confirm this kill.');
  const done = pendingKills.value.find(({ id }) => id === 'done') ?? pending;
  // A list may know it, as it was some time ago.
  upsertKills([makeKill({ id: runId(7), state: 'queued', seq: -1 })]);
  expect([isProgressLoading(done), isProgressLoading(pending)]).toEqual([true, false]);
  await vi.waitFor(() => expect(kills.value.get(runId(7))?.state).toBe('settled'), WAIT);
  expect(isProgressLoading(done)).toBe(false);
  retryKill(pending);
  await vi.waitFor(() => expect(sent.length).toBe(2), WAIT);
  expect(sent[1]).toBe(sent[0]);
});

test('the kills of one person are not shown to the next', () => {
  const end = restorePendingKills(WHO);
  pendingKills.value = [made];
  end();
  reload();
  restorePendingKills({ ...WHO, name: 'another' })();
  expect(pendingKills.value).toEqual([]);

  reload();
  const endAgain = restorePendingKills(WHO);
  pendingKills.value = [made];
  endAgain();
  clearPendingKills();
  restorePendingKills(WHO)();
  expect(pendingKills.value).toEqual([]);
});

test.each([null, '', 'null', '{"owner":1}', '{"kills":[]}'])(
  'what was saved and can’t be read (%s) is ignored',
  (text) => {
    if (text !== null) sessionStorage.setItem('leash.kills', text);
    restorePendingKills(WHO)();
    expect(pendingKills.value).toEqual([]);
  },
);

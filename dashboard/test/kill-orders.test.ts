import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '#protocol/api';
import { WAIT } from '#testing/patience';
import { disownCalls } from '../src/api/http.ts';
import {
  failureText,
  forgetOrders,
  inGrace,
  isProgressLoading,
  type KillOrder,
  killOrders,
  orderFor,
  orderKill,
  rememberOrders,
  sendAgain,
} from '../src/state/kill-orders.ts';
import { catchUpOnKills, forgetKills, keepKills, kills } from '../src/state/kills.ts';
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
  forgetOrders();
  forgetKills();
  vi.unstubAllGlobals();
});

const made: KillOrder = {
  id: 'one',
  scope: { kind: 'runs', runs: [{ id: runId(1), job: 'backup', machine: 'm1' }] },
  manner: {},
  state: { kind: 'stored', kills: [] },
};
const runs = (count: number) => Array.from({ length: count }, (_, n) => makeRun({ id: runId(n) }));
const stored = (ids: readonly string[]) =>
  Response.json({ kills: ids.map((run) => makeKill({ id: run, run })) }, { status: 202 });
const problem = (status: number) =>
  Response.json({ type: 'about:blank', title: 'No', status, code: 'forbidden', detail: 'No.' }, { status });

async function stateOf(kind: KillOrder['state']['kind']): Promise<KillOrder> {
  return await vi.waitFor(() => {
    const order = killOrders.value.find(({ state }) => state.kind === kind);
    if (order === undefined) throw new Error(`no order is ${kind}`);
    return order;
  }, WAIT);
}

function textOf({ state }: KillOrder): string {
  return state.kind === 'failed' ? failureText(state) : '';
}

test('of an order that got through in part it is told which part, and that part is followed', async () => {
  const idsOf = (body: { runs?: { run: string }[] }) => (body.runs ?? []).map(({ run }) => run);
  answer = (_, body) => (idsOf(body).includes(runId(0)) ? stored(idsOf(body)) : problem(503));
  orderKill({ kind: 'runs', runs: runs(600) }, {});
  const order = await stateOf('failed');
  expect(textOf(order)).toContain('first 500 were ordered');
  expect(kills.value.size).toBe(500);

  answer = (_, body) => stored(idsOf(body));
  sendAgain(order);
  expect((await stateOf('stored')).state).toMatchObject({ kills: { length: 600 } });
});

test('the runs that were picked are named with their jobs, and an order of the one is none of its namesake', async () => {
  const real = makeRun({ id: runId(1), job: 'backup' });
  const evil = makeRun({ id: runId(1), job: 'evil' });
  const other = makeRun({ id: runId(2), job: 'backup' });
  const named: unknown[] = [];
  answer = (_, body) => {
    named.push(body.runs);
    return stored([runId(1), runId(2)]);
  };
  orderKill({ kind: 'runs', runs: [real, other] }, { signal: 'SIGTERM' });
  await stateOf('stored');
  expect(named).toEqual([
    [
      { job: 'backup', run: runId(1) },
      { job: 'backup', run: runId(2) },
    ],
  ]);

  killOrders.value = [{ ...made, scope: { kind: 'runs', runs: [real] } }];
  expect(orderFor(real)).not.toBe(null);
  expect(orderFor(evil)).toBe(null);
  const target = {
    run: runId(1),
    machine: 'm1',
    signal: null,
    exit_code: null,
    survivors: [],
    unnamed_survivors: false,
    related: [],
    related_count: 0,
  };
  const ordered = [makeKill({ job: 'backup', targets: [{ ...target, state: 'term' }] })];
  expect(inGrace(ordered, [real, evil])).toEqual([real]);
});

test('that no answer came is not told as that nothing was killed', async () => {
  answer = () => Promise.reject(new TypeError('cut off'));
  orderKill({ kind: 'runs', runs: runs(1) }, {});
  const order = await stateOf('failed');
  expect(textOf(order)).toContain('Nobody knows');

  answer = () => problem(403);
  sendAgain(order);
  await vi.waitFor(() => expect(textOf(killOrders.value[0] as KillOrder)).toBe('Not killed: No.'), WAIT);
});

test('what is answered after a sign-out is not kept for whoever comes next', async () => {
  let respond: (response: Response) => void = () => undefined;
  answer = () => new Promise((resolve) => (respond = resolve));
  orderKill({ kind: 'runs', runs: runs(2) }, {});
  disownCalls();
  respond(stored([runId(0), runId(1)]));
  await stateOf('failed');
  expect(kills.value.size).toBe(0);
});

test('after a lost link all kills under way are caught up on, however many are newer', async () => {
  const ids = Array.from({ length: 7 }, (_, n) => runId(n)).reverse();
  keepKills([makeKill({ id: runId(2), seq: 1, state: 'delivered' })]);
  const asked: (string | null)[] = [];
  const failure = await catchUpOnKills(async (cursor) => {
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
  await catchUpOnKills(() => Promise.reject(new Error('not to be asked')));
});

/** The page is loaded anew: of what it knew, only what the tab keeps is left. */
function reload(): void {
  killOrders.value = [];
  forgetKills();
}

test('a reload loses no order, and what was not answered yet is asked about, with its keys', async () => {
  const sent: (string | null)[] = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    if (init.method === 'POST') sent.push(new Headers(init.headers).get('Idempotency-Key'));
    const id = path.split('/kills/')[1];
    return id === undefined
      ? new Promise(() => {})
      : Promise.resolve(Response.json({ kill: makeKill({ id, state: 'settled' }) }));
  });
  const end = rememberOrders(WHO);
  orderKill({ kind: 'runs', runs: runs(2) }, { reason: 'too slow' });
  killOrders.value = [...killOrders.value, { ...made, id: 'done', state: { kind: 'stored', kills: [runId(7)] } }];
  end();
  reload();

  rememberOrders(WHO)();
  const order = await stateOf('failed');
  expect(order).toMatchObject({
    scope: { runs: [{ id: runId(0) }, { id: runId(1) }] },
    manner: { reason: 'too slow' },
  });
  expect(textOf(order)).toContain('Nobody knows whether this was ordered.');
  const done = killOrders.value.find(({ id }) => id === 'done') ?? order;
  // A list may know it, as it was some time ago.
  keepKills([makeKill({ id: runId(7), state: 'queued', seq: -1 })]);
  expect([isProgressLoading(done), isProgressLoading(order)]).toEqual([true, false]);
  await vi.waitFor(() => expect(kills.value.get(runId(7))?.state).toBe('settled'), WAIT);
  expect(isProgressLoading(done)).toBe(false);
  sendAgain(order);
  await vi.waitFor(() => expect(sent.length).toBe(2), WAIT);
  expect(sent[1]).toBe(sent[0]);
});

test('what one person ordered is not shown to the next', () => {
  const end = rememberOrders(WHO);
  killOrders.value = [made];
  end();
  reload();
  rememberOrders({ ...WHO, name: 'another' })();
  expect(killOrders.value).toEqual([]);

  reload();
  const endAgain = rememberOrders(WHO);
  killOrders.value = [made];
  endAgain();
  forgetOrders();
  rememberOrders(WHO)();
  expect(killOrders.value).toEqual([]);
});

test.each([null, '', 'null', '{"owner":1}', '{"orders":[]}'])(
  'what is kept and can’t be read (%s) is no order',
  (text) => {
    if (text !== null) sessionStorage.setItem('leash.orders', text);
    rememberOrders(WHO)();
    expect(killOrders.value).toEqual([]);
  },
);

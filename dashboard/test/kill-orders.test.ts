import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { disownCalls } from '../src/api/http.ts';
import { catchUpOnCommands, commands, forgetCommands, keepCommands } from '../src/state/commands.ts';
import {
  failureText,
  forgetOrders,
  type KillOrder,
  killOrders,
  orderKill,
  sendAgain,
} from '../src/state/kill-orders.ts';
import { makeCommand, makeRun, runId } from './make.ts';

/** What a call is answered by: a response, or silence. */
let answer: (path: string, body: { runs?: string[] }) => Response | Promise<Response>;

beforeEach(() => {
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) =>
    answer(path, JSON.parse(String(init.body ?? '{}'))),
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
  forgetOrders();
  forgetCommands();
});

const runs = (count: number) => Array.from({ length: count }, (_, n) => makeRun({ id: runId(n) }));
const stored = (ids: readonly string[]) =>
  Response.json({ commands: ids.map((run) => makeCommand({ id: run, run })) }, { status: 202 });
const problem = (status: number) =>
  Response.json({ type: 'about:blank', title: 'No', status, code: 'forbidden', detail: 'No.' }, { status });

async function stateOf(kind: KillOrder['state']['kind']): Promise<KillOrder> {
  return await vi.waitFor(() => {
    const order = killOrders.value.find(({ state }) => state.kind === kind);
    if (order === undefined) throw new Error(`no order is ${kind}`);
    return order;
  });
}

function textOf({ state }: KillOrder): string {
  return state.kind === 'failed' ? failureText(state) : '';
}

test('of an order that got through in part it is told which part, and that part is followed', async () => {
  answer = (_, body) => (body.runs?.includes(runId(0)) === true ? stored(body.runs) : problem(503));
  orderKill({ kind: 'runs', runs: runs(600) }, {});
  const order = await stateOf('failed');
  expect(textOf(order)).toContain('first 500 were ordered');
  expect(commands.value.size).toBe(500);

  answer = (_, body) => stored(body.runs ?? []);
  sendAgain(order);
  expect((await stateOf('stored')).state).toMatchObject({ commands: { length: 600 } });
});

test('that no answer came is not told as that nothing was killed', async () => {
  answer = () => Promise.reject(new TypeError('cut off'));
  orderKill({ kind: 'runs', runs: runs(1) }, {});
  const order = await stateOf('failed');
  expect(textOf(order)).toContain('Nobody knows');

  answer = () => problem(403);
  sendAgain(order);
  await vi.waitFor(() => expect(textOf(killOrders.value[0] as KillOrder)).toBe('Not killed: No.'));
});

test('what is answered after a sign-out is not kept for whoever comes next', async () => {
  let respond: (response: Response) => void = () => undefined;
  answer = () => new Promise((resolve) => (respond = resolve));
  orderKill({ kind: 'runs', runs: runs(2) }, {});
  disownCalls();
  respond(stored([runId(0), runId(1)]));
  await stateOf('failed');
  expect(commands.value.size).toBe(0);
});

test('after a lost link all commands under way are caught up on, however many are newer', async () => {
  const ids = Array.from({ length: 7 }, (_, n) => runId(n)).reverse();
  keepCommands([makeCommand({ id: runId(2), seq: 1, state: 'delivered' })]);
  const asked: (string | null)[] = [];
  const failure = await catchUpOnCommands(async (cursor) => {
    asked.push(cursor);
    const from = cursor === null ? 0 : ids.indexOf(cursor) + 1;
    const page = ids.slice(from, from + 2);
    const items = page.map((id) => makeCommand({ id, seq: 2, state: 'settled' }));
    return { ok: true, value: { items, next: page.at(-1) ?? null } };
  });
  expect(failure).toBe(null);
  expect(commands.value.get(runId(2))?.state).toBe('settled');
  expect(asked).toHaveLength(3);

  // What nobody waits for is not asked for.
  await catchUpOnCommands(() => Promise.reject(new Error('not to be asked')));
});

/** What was ordered to stop from this page, and how far it has come: told until it is over and the reader has seen it. */
import { batch, effect, signal } from '@preact/signals';
import type { Kill, KillRequest, Run, Session } from '#protocol/api';
import { fetchKill, postKill, postKills } from '../api/calls.ts';
import { type Failure, isTemporary, type Result } from '../api/failure.ts';
import { newKey } from '../api/idempotency-key.ts';
import { askForEach } from './catch-up.ts';
import { dropKeptOrders, keepOrders, keptOrders } from './kept-orders.ts';
import { keepKills, kills } from './kills.ts';
import { type RunName, refOf, runRef } from './run-ref.ts';

/** As much of a run as its kill is told with. */
type Hit = Pick<Run, 'id' | 'job' | 'machine'>;

/** What is to be hit. */
export type KillScope<Each extends Hit = Run> =
  /** These runs and no others. */
  | { readonly kind: 'runs'; readonly runs: readonly Each[] }
  /** Whatever there is of a job; `runs` are those that are known. */
  | { readonly kind: 'job'; readonly job: string; readonly runs: readonly Each[] };

/** How it is to be done, and why. */
export type KillManner = Pick<Partial<KillRequest>, 'signal' | 'grace_seconds' | 'include' | 'reason'>;

export interface KillOrder {
  readonly id: string;
  readonly scope: KillScope<Hit>;
  readonly manner: KillManner;
  readonly state:
    | { readonly kind: 'sending' }
    /** @property kills what of it had got through before */
    | { readonly kind: 'failed'; readonly failure: Failure; readonly kills: readonly string[] }
    /** The control plane has stored it, as these kills. */
    | { readonly kind: 'stored'; readonly kills: readonly string[] };
}

/** After a failure that may pass. */
const RETRY_MS = 3_000;
/** As many runs as one call takes. */
const RUNS_A_CALL = 500;

export const killOrders = signal<readonly KillOrder[]>([]);

/**
 * Kills that were ordered before this page was loaded, and of which the job's object has not told yet how they are. What
 * a list says of them meanwhile may be older.
 */
export const killsAskedFor = signal<ReadonlySet<string>>(new Set());

export function orderKill(scope: KillScope<Hit>, manner: KillManner): void {
  const order: KillOrder = { id: newKey(), scope: onlyTold(scope), manner, state: { kind: 'sending' } };
  killOrders.value = [...killOrders.value, order];
  void send(order);
}

/** Sends an order that has failed once more. It keeps its keys: what had got through is not ordered twice. */
export function sendAgain(order: KillOrder): void {
  setState(order.id, { kind: 'sending' });
  void send(order);
}

export function dismissOrder(id: string): void {
  killOrders.value = killOrders.value.filter((order) => order.id !== id);
}

/** Another person may sign in next. */
export function forgetOrders(): void {
  killOrders.value = [];
  killsAskedFor.value = new Set();
  dropKeptOrders();
}

/**
 * Goes on with what they had ordered before this page was loaded, and keeps what they order from now on.
 *
 * @returns ends the keeping
 */
export function rememberOrders(who: Session): () => void {
  const before = keptOrders(who).map(asLoadedAnew);
  killOrders.value = [...before, ...killOrders.value];
  void askFor(before.flatMap(({ state }) => (state.kind === 'sending' ? [] : state.kills)));
  return effect(() => keepOrders(killOrders.value, who));
}

/** It is not sent by itself: what it would hit by now may be another run. */
function asLoadedAnew(order: KillOrder): KillOrder {
  if (order.state.kind !== 'sending') return order;
  const failure: Failure = { kind: 'unreachable', detail: 'The page was loaded anew before there was an answer.' };
  return { ...order, state: { kind: 'failed', failure, kills: [] } };
}

/** Asks until there is word of each: what is kept of them is only that they were stored. */
async function askFor(ids: readonly string[]): Promise<void> {
  killsAskedFor.value = new Set(ids);
  const isOver = () => killOrders.value.length === 0;
  const unanswered: string[] = [];
  const ask = async (id: string) => {
    const answer = await fetchKill(id);
    if (!answer.ok && isTemporary(answer.failure)) {
      unanswered.push(id);
      return;
    }
    batch(() => {
      if (answer.ok) keepKills([answer.value]);
      killsAskedFor.value = new Set([...killsAskedFor.value].filter((other) => other !== id));
    });
  };
  await askForEach(ids, ask, isOver);
  if (unanswered.length > 0 && !isOver()) setTimeout(() => void askFor(unanswered), RETRY_MS);
}

/** Whether it is being loaded how far an order has come. */
export function isProgressLoading({ state }: KillOrder): boolean {
  return state.kind !== 'sending' && state.kills.some((id) => killsAskedFor.value.has(id));
}

/** What is known of an order that did not get through: that no answer came does not say that nothing was stored. */
export function failureText({ failure, kills }: Extract<KillOrder['state'], { kind: 'failed' }>): string {
  if (kills.length > 0) return `Only the first ${kills.length} were ordered for certain. ${failure.detail}`;
  const isRefused = failure.kind === 'problem' && failure.status < 500;
  return isRefused
    ? `Not killed: ${failure.detail}`
    : `Nobody knows whether this was ordered. ${failure.detail} It is not ordered twice.`;
}

/** The last order that names this very run alone. */
export function orderFor(run: RunName): KillOrder | null {
  return killOrders.value.findLast(({ scope }) => isOnly(scope, run)) ?? null;
}

/** @param run whose job is null where it is not known which of several it is of */
export function isOnly(scope: KillScope<Hit>, { id, job }: { id: string; job: string | null }): boolean {
  const [only] = scope.runs;
  if (scope.kind !== 'runs' || scope.runs.length !== 1 || only === undefined) return false;
  return only.id === id && (job === null || only.job === job);
}

/** The runs of an order whose grace runs, unless SIGKILL was ordered for them already. */
export function forceable(order: KillOrder): readonly Hit[] {
  const { scope, manner, state } = order;
  if (state.kind !== 'stored' || isProgressLoading(order) || manner.signal === 'SIGKILL' || manner.grace_seconds === 0)
    return [];
  return inGrace(
    state.kills.flatMap((id) => kills.value.get(id) ?? []),
    scope.runs,
  );
}

/** Those of the runs whose grace by these kills goes on, unless SIGKILL was ordered for them from here already. */
export function inGrace<Each extends Hit>(ordered: readonly Kill[], runs: readonly Each[]): readonly Each[] {
  const refs = new Set(
    ordered.flatMap(({ job, targets }) =>
      targets.filter((target) => target.state === 'term').map(({ run }) => runRef(job, run)),
    ),
  );
  for (const { manner, scope } of killOrders.value) {
    if (manner.signal !== 'SIGKILL') continue;
    for (const run of scope.runs) refs.delete(refOf(run));
  }
  return runs.filter((run) => refs.has(refOf(run)));
}

async function send(order: KillOrder): Promise<void> {
  const kills: string[] = [];
  for (const post of callsOf(order)) {
    const answer = await post();
    if (!answer.ok) return setState(order.id, { kind: 'failed', failure: answer.failure, kills });
    keepKills(answer.value);
    kills.push(...answer.value.map(({ id }) => id));
  }
  setState(order.id, { kind: 'stored', kills });
}

/** The calls that an order takes, one after the other. */
function callsOf({ id, scope, manner }: KillOrder): (() => Promise<Result<readonly Kill[]>>)[] {
  const [first] = scope.runs;
  if (scope.kind === 'job') return [async () => one(await postKill(scope.job, manner, id))];
  if (first !== undefined && scope.runs.length === 1) {
    return [async () => one(await postKill(first.job, { run: first.id, ...manner }, id))];
  }
  const calls: (() => Promise<Result<readonly Kill[]>>)[] = [];
  for (let from = 0; from < scope.runs.length; from += RUNS_A_CALL) {
    const runs = scope.runs.slice(from, from + RUNS_A_CALL).map((run) => ({ job: run.job, run: run.id }));
    calls.push(() => postKills({ runs, ...manner }, `${id}-${from}`));
  }
  return calls;
}

function one(answer: Result<Kill>): Result<readonly Kill[]> {
  return answer.ok ? { ok: true, value: [answer.value] } : answer;
}

/** Runs have more to them than an order needs, for as long as it is shown. */
function onlyTold(scope: KillScope<Hit>): KillScope<Hit> {
  return { ...scope, runs: scope.runs.map(({ id, job, machine }) => ({ id, job, machine })) };
}

function setState(id: string, state: KillOrder['state']): void {
  killOrders.value = killOrders.value.map((order) => (order.id === id ? { ...order, state } : order));
}

/** The kills that were requested from this tab: shown with their progress until the reader dismisses them. */
import { batch, effect, signal } from '@preact/signals';
import type { Kill, Run, Session } from '#protocol/api';
import { fetchKill, postKill, postKills } from '../api/calls.ts';
import { type Failure, isTemporary, type Result } from '../api/failure.ts';
import { newKey } from '../api/idempotency-key.ts';
import { kills, upsertKills } from './kills.ts';
import { fetchEach } from './resync.ts';
import { type RunName, refOf, runRef } from './run-ref.ts';
import {
  clearSavedKills,
  type KillOptions,
  type NamedRun,
  type PendingKill,
  readSavedKills,
  saveKills,
} from './saved-kills.ts';

/** Which runs a kill is for. */
export type KillScope<Each extends NamedRun = Run> =
  /** These runs and no others. */
  | { readonly kind: 'runs'; readonly runs: readonly Each[] }
  /** All runs of a job; `runs` are those that are known. */
  | { readonly kind: 'job'; readonly job: string; readonly runs: readonly Each[] };

const RETRY_MS = 3_000;
const RUNS_PER_CALL = 500;

export const pendingKills = signal<readonly PendingKill[]>([]);

/** Kills from before a reload whose progress is being loaded. What lists have of them meanwhile may be older. */
const refreshingKills = signal<ReadonlySet<string>>(new Set());

export function requestKill(scope: KillScope<NamedRun>, options: KillOptions): void {
  // A pending kill lives long, and a whole run is large.
  const runs = scope.runs.map(({ id, job, machine }) => ({ id, job, machine }));
  const pending: PendingKill = { id: newKey(), scope: { ...scope, runs }, options, state: { kind: 'sending' } };
  pendingKills.value = [...pendingKills.value, pending];
  void send(pending);
}

/** With the same idempotency keys: what was stored before isn't stored twice. */
export function retryKill(pending: PendingKill): void {
  setState(pending.id, { kind: 'sending' });
  void send(pending);
}

export function dismissKill(id: string): void {
  pendingKills.value = pendingKills.value.filter((pending) => pending.id !== id);
}

/** Another person may sign in next. */
export function clearPendingKills(): void {
  pendingKills.value = [];
  refreshingKills.value = new Set();
  clearSavedKills();
}

/**
 * Restores the pending kills from before a reload, and saves all from now on.
 *
 * @returns ends the saving
 */
export function restorePendingKills(who: Session): () => void {
  const saved = readSavedKills(who).map(afterReload);
  pendingKills.value = [...saved, ...pendingKills.value];
  void refreshKills(saved.flatMap(({ state }) => (state.kind === 'sending' ? [] : state.kills)));
  return effect(() => saveKills(pendingKills.value, who));
}

/** It isn't retried automatically: by now it might end other runs. */
function afterReload(pending: PendingKill): PendingKill {
  if (pending.state.kind !== 'sending') return pending;
  const failure: Failure = { kind: 'unreachable', detail: 'The page was reloaded before Leash answered.' };
  return { ...pending, state: { kind: 'failed', failure, kills: [] } };
}

/** Retries until each is loaded: what was saved only says that they were stored. */
async function refreshKills(ids: readonly string[]): Promise<void> {
  refreshingKills.value = new Set(ids);
  const isOver = () => pendingKills.value.length === 0;
  const failed: string[] = [];
  const refresh = async (id: string) => {
    const answer = await fetchKill(id);
    if (!answer.ok && isTemporary(answer.failure)) {
      failed.push(id);
      return;
    }
    batch(() => {
      if (answer.ok) upsertKills([answer.value]);
      refreshingKills.value = new Set([...refreshingKills.value].filter((other) => other !== id));
    });
  };
  await fetchEach(ids, refresh, isOver);
  if (failed.length > 0 && !isOver()) setTimeout(() => void refreshKills(failed), RETRY_MS);
}

/** Whether the progress of a kill from before a reload is being loaded. */
export function isProgressLoading({ state }: PendingKill): boolean {
  return state.kind !== 'sending' && state.kills.some((id) => refreshingKills.value.has(id));
}

/** A missing response doesn't mean that nothing was stored. */
export function failureText({ failure, kills }: Extract<PendingKill['state'], { kind: 'failed' }>): string {
  if (kills.length > 0) return `Only the first ${kills.length} were confirmed. ${failure.detail}`;
  const isRefused = failure.kind === 'problem' && failure.status < 500;
  return isRefused
    ? `Not killed: ${failure.detail}`
    : `Couldn’t confirm this kill. ${failure.detail} Retrying is safe: it won’t be sent twice.`;
}

/** The last kill that was requested for this run alone. */
export function pendingKillOf(run: RunName): PendingKill | null {
  return pendingKills.value.findLast(({ scope }) => isOnlyRun(scope, run)) ?? null;
}

/** @param run whose job is null while it is unknown */
export function isOnlyRun(scope: KillScope<NamedRun>, { id, job }: { id: string; job: string | null }): boolean {
  const [only] = scope.runs;
  if (scope.kind !== 'runs' || scope.runs.length !== 1 || only === undefined) return false;
  return only.id === id && (job === null || only.job === job);
}

/** The runs of a pending kill whose grace period a SIGKILL would cut short. */
export function forceableRuns(pending: PendingKill): readonly NamedRun[] {
  const { scope, options, state } = pending;
  if (state.kind !== 'stored' || isProgressLoading(pending)) return [];
  if (options.signal === 'SIGKILL' || options.grace_seconds === 0) return [];
  return runsInGrace(
    state.kills.flatMap((id) => kills.value.get(id) ?? []),
    scope.runs,
  );
}

/** Those of the runs to which the kills have sent a signal, and for which no SIGKILL was requested from here. */
export function runsInGrace<Each extends NamedRun>(of: readonly Kill[], runs: readonly Each[]): readonly Each[] {
  const signalled = of.flatMap(({ job, targets }) =>
    targets.filter(({ state }) => state === 'term').map(({ run }) => runRef(job, run)),
  );
  const forced = pendingKills.value.filter(({ options }) => options.signal === 'SIGKILL');
  const refs = new Set(signalled);
  for (const { scope } of forced) for (const run of scope.runs) refs.delete(refOf(run));
  return runs.filter((run) => refs.has(refOf(run)));
}

async function send(pending: PendingKill): Promise<void> {
  const stored: string[] = [];
  for (const post of callsOf(pending)) {
    const answer = await post();
    if (!answer.ok) return setState(pending.id, { kind: 'failed', failure: answer.failure, kills: stored });
    upsertKills(answer.value);
    stored.push(...answer.value.map(({ id }) => id));
  }
  setState(pending.id, { kind: 'stored', kills: stored });
}

function callsOf({ id, scope, options }: PendingKill): (() => Promise<Result<readonly Kill[]>>)[] {
  const [first] = scope.runs;
  if (scope.kind === 'job') return [() => asList(postKill(scope.job, options, id))];
  if (first !== undefined && scope.runs.length === 1) {
    return [() => asList(postKill(first.job, { run: first.id, ...options }, id))];
  }
  const calls: (() => Promise<Result<readonly Kill[]>>)[] = [];
  for (let from = 0; from < scope.runs.length; from += RUNS_PER_CALL) {
    const runs = scope.runs.slice(from, from + RUNS_PER_CALL).map((run) => ({ job: run.job, run: run.id }));
    calls.push(() => postKills({ runs, ...options }, `${id}-${from}`));
  }
  return calls;
}

async function asList(call: Promise<Result<Kill>>): Promise<Result<readonly Kill[]>> {
  const answer = await call;
  return answer.ok ? { ok: true, value: [answer.value] } : answer;
}

function setState(id: string, state: PendingKill['state']): void {
  pendingKills.value = pendingKills.value.map((pending) => (pending.id === id ? { ...pending, state } : pending));
}

/** Waits for the first runs that come with a token. */
import { effect, type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Run, Token } from '#protocol/api';
import { fetchRuns, fetchTokens } from '../../api/calls.ts';
import { syncStatus, useFleet } from '../../state/fleet.ts';
import { type RunRef, refOf } from '../../state/run-ref.ts';
import { store } from '../../state/store.ts';
import { firstRuns } from './first-runs.ts';

const MOST_RUNS = 100;

/** Nothing is asked for while nothing happens: the socket reports each run, and a list brings what it has missed. */
export function useFirstRuns(token: Token): ReadonlySignal<readonly Run[]> {
  useFleet();
  const seen = useSignal<ReadonlyMap<RunRef, Run>>(new Map());
  const isUsed = useSignal(false);
  useEffect(() => {
    const add = (runs: readonly Run[]) => {
      if (firstRuns(token, runs).length === 0) return;
      seen.value = new Map([...seen.peek(), ...runs.map((run) => [refOf(run), run] as const)]);
      if (!isUsed.peek()) void hasBeenUsed(token).then((used) => (isUsed.value ||= used));
    };
    const stopReceiving = effect(() => add(store.changed.value));
    const stopListing = effect(() => {
      if (syncStatus.value.kind === 'live') void listSince(token).then(add);
    });
    return () => {
      stopReceiving();
      stopListing();
    };
  }, [token]);
  return useComputed(() => (isUsed.value ? firstRuns(token, seen.value.values()) : []));
}

/** What can't be fetched now is fetched with the next run, or the next time that the socket connects. */
async function listSince({ created_at: since }: Token): Promise<readonly Run[]> {
  const answer = await fetchRuns({ since, limit: MOST_RUNS });
  return answer.ok ? answer.value.items : [];
}

/** Other machines may run jobs at the same time, with tokens of their own. */
async function hasBeenUsed({ id }: Token): Promise<boolean> {
  const answer = await fetchTokens();
  return answer.ok && answer.value.items.some((token) => token.id === id && token.last_used_at !== null);
}

/** The brakes and maintenance that are active and may concern what this session sees. */
import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Brake } from '#protocol/brakes';
import { fetchBrakes } from '../api/calls.ts';
import type { Failure } from '../api/failure.ts';
import { now } from './clock.ts';
import { onBrakesChanged } from './fleet.ts';
import { useReload } from './use-reload.ts';

/** Where no socket says that they have changed. */
const RELOAD_MS = 30_000;

const known = signal<readonly Brake[]>([]);

/** Those that have not ended: a brake first, then the one that ends last. */
export const activeBrakes = computed(() => {
  const active = known.value.filter(({ until }) => Date.parse(until) > now.value);
  return active.toSorted((a, b) => Number(b.kill) - Number(a.kill) || Date.parse(b.until) - Date.parse(a.until));
});

export async function loadBrakes(): Promise<Failure | null> {
  const answer = await fetchBrakes();
  if (!answer.ok) return answer.failure;
  known.value = answer.value;
  return null;
}

/** Another person may sign in next. */
export function clearBrakes(): void {
  known.value = [];
}

/** Keeps them up to date while the component is mounted. */
export function useBrakes(): void {
  useReload(loadBrakes);
  useEffect(() => {
    // What fails is read again.
    const load = () => void loadBrakes();
    // The pages of a run and of a job have sockets of their own: there the fleet's never connects.
    load();
    const stop = onBrakesChanged(load);
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') load();
    }, RELOAD_MS);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, []);
}

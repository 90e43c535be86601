/** The brakes and maintenance that are active and may concern what this session sees. */
import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Brake } from '#protocol/brakes';
import { fetchBrakes } from '../api/calls.ts';
import type { Failure } from '../api/failure.ts';
import { openWatch, type WatchSocket } from '../api/watch-socket.ts';
import { now } from './clock.ts';
import { isFollowed, onBrakesChanged } from './fleet.ts';
import { recheckSession } from './session.ts';
import { useReload } from './use-reload.ts';

/** While no socket is open that would say that they have changed. */
const POLL_MS = 30_000;

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

/**
 * Keeps them up to date while the component is mounted.
 *
 * @param mayWatch whether the session may open a socket
 */
export function useBrakes(mayWatch: boolean): void {
  useReload(loadBrakes);
  useEffect(() => {
    // What fails is read again.
    void loadBrakes();
    return onBrakesChanged(() => void loadBrakes());
  }, []);
  const isAlone = !isFollowed.value;
  useEffect(() => (isAlone ? followAlone(mayWatch) : undefined), [isAlone]);
}

/** Where the fleet, whose socket reports changed brakes, isn't followed. @returns ends it */
function followAlone(mayWatch: boolean): () => void {
  let socket: WatchSocket | null = null;
  let isOpen = false;
  const load = () => void loadBrakes();
  // The page that is shown next may follow the fleet.
  const opening = setTimeout(() => {
    if (!mayWatch) return;
    socket = openWatch('/watch?only=brakes', {
      opened: load,
      message: ({ type }) => {
        if (type === 'brakes') load();
      },
      state: ({ kind }) => {
        isOpen = kind === 'open';
      },
      refused: () => void recheckSession(),
    });
  });
  const polling = setInterval(() => {
    if (!isOpen && document.visibilityState === 'visible') load();
  }, POLL_MS);
  return () => {
    clearTimeout(opening);
    clearInterval(polling);
    socket?.close();
  };
}

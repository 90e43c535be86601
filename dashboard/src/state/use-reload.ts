import { useEffect } from 'preact/hooks';
import { syncStatus } from './fleet.ts';

/**
 * Loads what no socket reports as a whole: once it is known whether changes will be reported, so that none is missed in
 * between, and again whenever the connection is back.
 */
export function useReload(load: () => unknown): void {
  const { kind } = syncStatus.value;
  const link = kind === 'syncing' || kind === 'live' ? 'up' : kind;
  useEffect(() => {
    if (link !== 'connecting') load();
  }, [link, load]);
}

import { useEffect } from 'preact/hooks';
import { link } from './fleet.ts';

/**
 * Reads what no socket brings whole: once it is known whether changes will be heard, so that none falls in between, and
 * again whenever the link is back.
 */
export function useFresh(read: () => unknown): void {
  const { kind } = link.value;
  useEffect(() => {
    if (kind !== 'connecting') read();
  }, [kind, read]);
}

import { useEffect, useLayoutEffect } from 'preact/hooks';

const KEY = 'leash.scroll';

/**
 * Brings the reader back to where they were before a reload: by itself the browser tries that before the rows are there.
 *
 * @param isThere whether what is scrolled over is there by now
 */
export function useKeptPlace(isThere: boolean): void {
  useEffect(() => {
    const keep = () => sessionStorage.setItem(KEY, String(scrollY));
    addEventListener('pagehide', keep);
    return () => removeEventListener('pagehide', keep);
  }, []);
  useLayoutEffect(() => {
    if (!isThere) return;
    const kept = Number(sessionStorage.getItem(KEY) ?? 0);
    sessionStorage.removeItem(KEY);
    // Whoever has gone elsewhere meanwhile is left there.
    if (kept > 0 && scrollY === 0 && isReload()) scrollTo(0, kept);
  }, [isThere]);
}

function isReload(): boolean {
  return performance.getEntriesByType('navigation').some((entry) => 'type' in entry && entry.type === 'reload');
}

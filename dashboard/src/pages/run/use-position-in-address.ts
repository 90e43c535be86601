/** Keeps the reader's position in the output in the address: an offset always means the same byte. */
import { useEffect, useRef } from 'preact/hooks';
import { query, setFilter } from '../../router.tsx';

/** The address changes once the reader rests this long. */
const REST_MS = 500;

interface Whereabouts {
  /** Null at the end, which needs no offset in the address. */
  readonly offset: number | null;
  /** Whether the reader is there, and not only on the way. */
  readonly isThere: boolean;
  /** Whether `go` works yet. */
  readonly isReady: boolean;
  go(offset: number): void;
}

export function usePositionInAddress({ offset, isThere, isReady, go }: Whereabouts): void {
  const isLed = useRef(false);
  useEffect(() => {
    if (!isReady || isLed.current) return;
    isLed.current = true;
    const wanted = query.peek().get('at') ?? '';
    if (/^\d{1,15}$/.test(wanted)) go(Number(wanted));
  }, [isReady, go]);
  useEffect(() => {
    if (!isReady || !isThere) return;
    const resting = setTimeout(() => setFilter({ at: offset === null ? null : String(offset) }), REST_MS);
    return () => clearTimeout(resting);
  }, [offset, isThere, isReady]);
}

import { useEffect, useMemo, useState } from 'preact/hooks';

/** As in the styles: a phone, or as narrow as one. */
export const NARROW = '(max-width: 46rem)';

/** Whether a media query holds, as the window changes. */
export function useMedia(query: string): boolean {
  const media = useMemo(() => matchMedia(query), [query]);
  const [holds, setHolds] = useState(media.matches);
  useEffect(() => {
    const update = () => setHolds(media.matches);
    media.addEventListener('change', update);
    update();
    return () => media.removeEventListener('change', update);
  }, [media]);
  return holds;
}

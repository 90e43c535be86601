import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/**
 * What has the focus may be gone after a drawing: a row that was deleted, a button that has done its work. The focus then
 * goes to `place`, instead of back to the top of the page. For the component whose drawing takes it away.
 */
export function useFocusFallback(place: RefObject<HTMLElement | null>): void {
  const hadFocus = isSomewhere();
  useLayoutEffect(() => {
    if (hadFocus && !isSomewhere()) place.current?.focus({ preventScroll: true });
  });
}

function isSomewhere(): boolean {
  return document.activeElement !== null && document.activeElement !== document.body;
}

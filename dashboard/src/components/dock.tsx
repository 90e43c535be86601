/**
 * What stands at the lower edge of the view, one above the other: what is selected, what is being killed, that the link
 * is down. It covers the end of the page only while there is more of the page below, and moves nothing when it comes.
 */
import './dock.css';
import { type ComponentChildren, render } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

const DOCK_ID = 'dock';

/** Where it all goes: the last thing on the page. */
export function Dock() {
  return <div id={DOCK_ID} class="dock" />;
}

/** Shows its children in the dock, wherever on the page it is used itself. */
export function Docked({ children }: { readonly children: ComponentChildren }) {
  const place = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    const own = document.createElement('div');
    place.current = own;
    document.getElementById(DOCK_ID)?.append(own);
    return () => {
      render(null, own);
      own.remove();
    };
  }, []);
  useLayoutEffect(() => {
    if (place.current !== null) render(children, place.current);
  });
  return null;
}

/** Following the end of what scrolls by, until the reader scrolls up. */
import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';

/** Near enough to the end to mean the end. */
const SLACK_PX = 24;

export interface FollowMode {
  readonly following: Signal<boolean>;
  /** Changes what is in the box: the end stays in view, or whatever the reader looks at stays where it is. */
  around(change: () => 'extended' | 'redrawn'): void;
  toEnd(): void;
}

export function useFollowMode(box: RefObject<HTMLElement | null>, onHold: (held: boolean) => void): FollowMode {
  const following = useSignal(true);
  const hold = useRef(onHold);
  hold.current = onHold;
  /** How far the reader was from the end, as they last saw it. */
  const fromEnd = useRef(0);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    let before = element.scrollTop;
    const onScroll = () => {
      const up = element.scrollTop < before;
      before = element.scrollTop;
      fromEnd.current = element.scrollHeight - element.scrollTop;
      if (isAtEnd(element)) following.value = true;
      else if (up) following.value = false;
      hold.current(!following.value);
    };
    const onResize = () => {
      if (following.value) scrollToEnd(element);
    };
    const resizes = new ResizeObserver(onResize);
    resizes.observe(element);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      resizes.disconnect();
      element.removeEventListener('scroll', onScroll);
    };
  }, [box, following]);

  return useMemo(
    () => ({
      following,
      around: (change: () => 'extended' | 'redrawn') => {
        const element = box.current;
        const how = change();
        if (element === null) return;
        if (following.value) scrollToEnd(element);
        // More came in above: what stayed the same is the distance to the end.
        else if (how === 'redrawn') element.scrollTop = element.scrollHeight - fromEnd.current;
        fromEnd.current = element.scrollHeight - element.scrollTop;
      },
      toEnd: () => {
        following.value = true;
        if (box.current !== null) scrollToEnd(box.current);
        hold.current(false);
      },
    }),
    [box, following],
  );
}

function isAtEnd(element: HTMLElement): boolean {
  return element.scrollHeight - element.scrollTop - element.clientHeight <= SLACK_PX;
}

function scrollToEnd(element: HTMLElement): void {
  element.scrollTop = element.scrollHeight;
}

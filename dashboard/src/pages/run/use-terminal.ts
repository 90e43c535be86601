/** The terminal of a run's output: loads it, feeds it, and exposes its state as signals. */
import { type ReadonlySignal, useSignal, useSignalEffect } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { OutputFeed } from '../../output/output-feed.ts';
import type { Matches } from '../../output/terminal-search.ts';
import type { TerminalView, ViewSettings } from '../../output/terminal-view.ts';

export type TerminalStatus = 'loading' | 'ready' | 'failed';

export interface TerminalHandle {
  readonly status: ReadonlySignal<TerminalStatus>;
  readonly following: ReadonlySignal<boolean>;
  readonly matches: ReadonlySignal<Matches | null>;
  /** Where in the log what is seen begins, unless that follows the end. */
  readonly seen: ReadonlySignal<number>;
  /** Null until it is ready. */
  readonly view: RefObject<TerminalView | null>;
  /** Loads it again, after it could not be. */
  retry(): void;
}

/** @param version goes up whenever the feed has something new */
export function useTerminal(
  box: RefObject<HTMLElement | null>,
  feed: OutputFeed,
  version: ReadonlySignal<number>,
  settings: ViewSettings,
): TerminalHandle {
  const status = useSignal<TerminalStatus>('loading');
  const following = useSignal(true);
  const matches = useSignal<Matches | null>(null);
  const seen = useSignal(0);
  const attempt = useSignal(0);
  const view = useRef<TerminalView | null>(null);
  const first = useRef(settings);

  const tried = attempt.value;
  useEffect(() => {
    let isGone = false;
    status.value = 'loading';
    const load = async () => {
      try {
        const { TerminalView } = await import('../../output/terminal-view.ts');
        if (isGone || box.current === null) return;
        view.current = new TerminalView(box.current, first.current, {
          drawn: (offset) => feed.drawn(offset),
          shownFrom: (offset) => feed.shownFrom(offset),
          fits: (rows, columns) => feed.fit(rows, columns),
          followed: (isFollowing) => {
            following.value = isFollowing;
            feed.hold(!isFollowing);
          },
          seen: (offset) => {
            seen.value = offset;
          },
          reached: (end) => (end === 'start' ? feed.loadEarlier() : feed.loadLater()),
          found: (found) => {
            matches.value = found;
          },
        });
        view.current.show(feed.window, feed.isLive);
        status.value = 'ready';
      } catch (error) {
        console.error(error);
        if (!isGone) status.value = 'failed';
      }
    };
    void load();
    return () => {
      isGone = true;
      view.current?.dispose();
      view.current = null;
    };
  }, [box, feed, tried]);

  useSignalEffect(() => {
    version.value;
    view.current?.show(feed.window, feed.isLive);
  });
  useEffect(() => {
    first.current = settings;
    view.current?.set(settings);
  }, [settings]);

  return {
    status,
    following,
    matches,
    seen,
    view,
    retry: () => {
      attempt.value += 1;
    },
  };
}

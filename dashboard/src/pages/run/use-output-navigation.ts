/** Where the reader is in a log, and the way to any other place in it. */
import { useRef } from 'preact/hooks';
import type { RunEvent } from '#protocol/api';
import type { Gap } from '../../api/calls.ts';
import { type OutputFeed, TAIL_BYTES } from '../../output/output-feed.ts';
import type { RunName } from '../../state/run-ref.ts';
import { beginningOf, openingFor } from './output-positions.ts';
import { useGaps } from './use-gaps.ts';
import { usePositionInAddress } from './use-position-in-address.ts';
import type { TerminalHandle } from './use-terminal.ts';

export interface OutputNavigationOptions {
  readonly run: RunName;
  readonly events: readonly RunEvent[];
  readonly feed: OutputFeed;
  readonly total: number;
  readonly terminal: TerminalHandle;
  toEnd(): void;
}

export interface OutputNavigation {
  /** Whether there has been more of it than what is loaded. */
  readonly isLong: boolean;
  readonly gaps: readonly Gap[];
  /** Where the reader is, or is on the way to. */
  readonly place: number;
  go(offset: number): void;
}

export function useOutputNavigation({
  run,
  events,
  feed,
  total,
  terminal,
  toEnd,
}: OutputNavigationOptions): OutputNavigation {
  const { window } = feed;
  const isLong = useRef(false);
  // Once there, the bar stays: what has the focus must not go because all is loaded now.
  isLong.current ||= window.start > 0 || (!feed.isLive && window.next < total);
  const gaps = useGaps(run, events, isLong.current);

  const go = (wanted: number) => {
    const offset = beginningOf(wanted, gaps ?? []);
    if (offset >= total) {
      toEnd();
    } else if (feed.opening === null && window.start <= offset && offset < window.next) {
      terminal.view.current?.goTo(offset);
    } else {
      terminal.view.current?.leaveFor(offset);
      // Near the end, opens the tail instead, which follows new output.
      feed.openAt(Math.max(0, Math.min(openingFor(offset, gaps ?? []), total - TAIL_BYTES)));
    }
  };
  const isAtEnd = terminal.following.value && feed.isLive;
  const seen = Math.min(Math.max(terminal.seen.value, window.start), window.next);
  usePositionInAddress({
    place: isAtEnd ? null : seen,
    isThere: feed.opening === null,
    isReady: terminal.status.value === 'ready' && (gaps !== null || !isLong.current),
    go,
  });
  return { isLong: isLong.current, gaps: gaps ?? [], place: feed.opening ?? (isAtEnd ? total : seen), go };
}

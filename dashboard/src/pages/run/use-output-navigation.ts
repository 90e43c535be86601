/** The reader's position in the output, and the way to any other. */
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
  /** Whether the output was ever longer than what was loaded. */
  readonly isLong: boolean;
  readonly gaps: readonly Gap[];
  /** The reader's position, or the one that is being opened. */
  readonly offset: number;
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
  // The bar stays once it was shown: it may have the focus when everything is loaded.
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
    offset: isAtEnd ? null : seen,
    isThere: feed.opening === null,
    isReady: terminal.status.value === 'ready' && (gaps !== null || !isLong.current),
    go,
  });
  return { isLong: isLong.current, gaps: gaps ?? [], offset: feed.opening ?? (isAtEnd ? total : seen), go };
}

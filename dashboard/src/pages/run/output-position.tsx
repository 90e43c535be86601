import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Run, RunEvent } from '#protocol/api';
import { type OutputFeed, TAIL_BYTES } from '../../output/output-feed.ts';
import { LogBar } from './log-bar.tsx';
import { beginningOf, openingFor } from './log-places.ts';
import { aimText, copiedText, loadedText, silenceOf } from './output-words.ts';
import { useGaps } from './use-gaps.ts';
import { usePlaceInAddress } from './use-place-in-address.ts';
import type { TerminalHandle } from './use-terminal.ts';

interface OutputPositionProps {
  readonly run: Run;
  readonly events: readonly RunEvent[];
  readonly feed: OutputFeed;
  readonly total: number;
  readonly terminal: TerminalHandle;
  /** All that is loaded has just been copied. */
  readonly isCopied: boolean;
  toEnd(): void;
}

/** Which part of the log is shown, and the ways to the others. */
export function OutputPosition({ run, events, feed, total, terminal, isCopied, toEnd }: OutputPositionProps) {
  const { window, loading } = feed;
  const isLong = useRef(false);
  // Once there, the bar stays: what has the focus must not go because all is loaded now.
  isLong.current ||= window.start > 0 || (!feed.isLive && window.next < total);
  const gaps = useGaps(run.id, events, isLong.current);
  const aim = useSignal<number | null>(null);

  const go = (wanted: number) => {
    const offset = beginningOf(wanted, gaps ?? []);
    if (offset >= total) {
      toEnd();
    } else if (feed.opening === null && window.start <= offset && offset < window.next) {
      terminal.view.current?.goTo(offset);
    } else {
      terminal.view.current?.leaveFor(offset);
      // Near the end, what is there is shown with some lines before it, and goes on.
      feed.openAt(Math.max(0, Math.min(openingFor(offset, gaps ?? []), total - TAIL_BYTES)));
    }
  };
  const toStart = () => {
    go(0);
    terminal.view.current?.focus();
  };
  const isAtEnd = terminal.following.value && feed.isLive;
  const seen = Math.min(Math.max(terminal.seen.value, window.start), window.next);
  usePlaceInAddress({
    place: isAtEnd ? null : seen,
    isThere: feed.opening === null,
    isReady: terminal.status.value === 'ready' && (gaps !== null || !isLong.current),
    go,
  });
  const goal = aim.value ?? feed.opening;
  const words =
    goal !== null ? aimText(goal, total) : total === 0 ? silenceOf(run) : loadedText(window.start, window.next, total);
  return (
    <div class="output-position">
      <span class="shown">
        {!isCopied && words}
        <span role="status">{isCopied && copiedText(window.start, window.next, total)}</span>
      </span>
      {window.start > 0 && (
        <>
          <button type="button" class="button quiet" onClick={toStart}>
            To the start
          </button>
          <button type="button" class="button quiet" disabled={loading !== null} onClick={() => feed.loadEarlier()}>
            {loading === 'earlier' ? 'Loading…' : 'Load earlier'}
          </button>
        </>
      )}
      {!feed.isLive && window.next < total && (
        <button type="button" class="button quiet" disabled={loading !== null} onClick={() => feed.loadLater()}>
          {loading === 'later' ? 'Loading…' : 'Load later'}
        </button>
      )}
      {isLong.current && (
        <LogBar
          total={total}
          loaded={window}
          gaps={gaps ?? []}
          place={feed.opening ?? (isAtEnd ? total : seen)}
          aim={aim}
          go={go}
        />
      )}
    </div>
  );
}

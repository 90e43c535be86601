import type { Run } from '#protocol/api';
import type { OutputFeed } from '../../output/output-feed.ts';
import { copiedText, loadedText, silenceOf } from './output-words.ts';
import type { TerminalHandle } from './use-terminal.ts';

interface OutputPositionProps {
  readonly run: Run;
  readonly feed: OutputFeed;
  readonly total: number;
  readonly terminal: TerminalHandle;
  /** All that is loaded has just been copied. */
  readonly isCopied: boolean;
}

/** Which part of the log is shown, and the ways to the others. */
export function OutputPosition({ run, feed, total, terminal, isCopied }: OutputPositionProps) {
  const { window, loading } = feed;
  const toStart = () => {
    terminal.view.current?.toStart();
    terminal.view.current?.focus();
    feed.toStart();
  };
  return (
    <div class="output-position">
      <span class="shown">
        {!isCopied && (total === 0 ? silenceOf(run) : loadedText(window.start, window.next, total))}
        <span role="status">{isCopied && copiedText(window.start, window.next, total)}</span>
      </span>
      {window.start > 0 && (
        <>
          <button type="button" class="button quiet" disabled={loading !== null} onClick={() => feed.loadEarlier()}>
            {loading === 'earlier' ? 'Loading…' : 'Load earlier'}
          </button>
          <button type="button" class="button quiet" disabled={loading !== null} onClick={toStart}>
            Jump to the start
          </button>
        </>
      )}
      {!feed.isLive && window.next < total && (
        <button type="button" class="button quiet" disabled={loading !== null} onClick={() => feed.loadLater()}>
          {loading === 'later' ? 'Loading…' : 'Load later'}
        </button>
      )}
    </div>
  );
}

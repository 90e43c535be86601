import type { OutputFeed } from '../../output/output-feed.ts';
import { loadedText } from './output-words.ts';
import type { TerminalHandle } from './use-terminal.ts';

interface OutputPositionProps {
  readonly feed: OutputFeed;
  readonly total: number;
  readonly terminal: TerminalHandle;
}

/** Which part of the log is shown, and the ways to the others. */
export function OutputPosition({ feed, total, terminal }: OutputPositionProps) {
  const { window, loading } = feed;
  const toStart = () => {
    terminal.view.current?.toStart();
    terminal.view.current?.focus();
    feed.toStart();
  };
  return (
    <div class="output-position">
      <span class="shown">{loadedText(window.start, window.next, total)}</span>
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

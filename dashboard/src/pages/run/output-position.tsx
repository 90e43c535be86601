import { useSignal } from '@preact/signals';
import type { Run, RunEvent } from '#protocol/api';
import type { OutputFeed } from '../../output/output-feed.ts';
import { OutputBar } from './output-bar.tsx';
import { copiedText, positionText } from './output-labels.ts';
import { useOutputNavigation } from './use-output-navigation.ts';
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

/** Which part of the output is shown, and the ways to the others. */
export function OutputPosition({ run, events, feed, total, terminal, isCopied, toEnd }: OutputPositionProps) {
  const { window } = feed;
  const { isLong, gaps, offset, go } = useOutputNavigation({ run, events, feed, total, terminal, toEnd });
  /** The offset that the reader is about to go to with the slider. */
  const aim = useSignal<number | null>(null);
  const toStart = () => {
    go(0);
    terminal.view.current?.focus();
  };
  return (
    <div class="output-position">
      <span class="shown">
        {!isCopied && positionText(run, window, aim.value ?? feed.opening, total)}
        <span role="status">{isCopied && copiedText(window.start, window.next, total)}</span>
      </span>
      <span class="aside legend">
        <i class="stderr" aria-hidden="true" /> stderr
      </span>
      {window.start > 0 && <LoadEarlier feed={feed} toStart={toStart} />}
      {!feed.isLive && window.next < total && <LoadLater feed={feed} />}
      {isLong && <OutputBar total={total} loaded={window} gaps={gaps} offset={offset} aim={aim} go={go} />}
    </div>
  );
}

interface LoadProps {
  readonly feed: OutputFeed;
}

function LoadEarlier({ feed, toStart }: LoadProps & { toStart(): void }) {
  return (
    <>
      <button type="button" class="button quiet" onClick={toStart}>
        Top
      </button>
      <button type="button" class="button quiet" disabled={feed.loading !== null} onClick={() => feed.loadEarlier()}>
        {feed.loading === 'earlier' ? 'Loading…' : 'Load earlier'}
      </button>
    </>
  );
}

function LoadLater({ feed }: LoadProps) {
  return (
    <button type="button" class="button quiet" disabled={feed.loading !== null} onClick={() => feed.loadLater()}>
      {feed.loading === 'later' ? 'Loading…' : 'Load later'}
    </button>
  );
}

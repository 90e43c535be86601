import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import { formatBytes } from '#shared/format-bytes';
import type { OutputFeed } from '../../output/output-feed.ts';
import type { TerminalHandle } from './use-terminal.ts';

interface FollowProps {
  readonly feed: OutputFeed;
  readonly total: number;
  readonly terminal: TerminalHandle;
  toEnd(): void;
}

interface OutputBoxProps extends FollowProps {
  readonly box: RefObject<HTMLElement | null>;
}

/** Where the terminal is drawn. */
export function OutputBox({ box, ...follow }: OutputBoxProps) {
  return (
    <>
      <section
        ref={box}
        class="output-box"
        aria-label="Run output"
        aria-describedby="output-hint"
        data-output
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
        tabIndex={0}
      />
      <Follow {...follow} />
    </>
  );
}

/** The way back to the end, for a reader who has left it. */
function Follow({ feed, total, terminal, toEnd }: FollowProps) {
  const isThere = terminal.following.value && feed.isLive;
  const leftAt = useRef(total);
  // New output is counted from when the reader left the end.
  if (isThere) leftAt.current = total;
  if (isThere || total === 0) return null;
  const news = Math.max(0, total - leftAt.current);
  const go = () => {
    toEnd();
    terminal.view.current?.focus();
  };
  return (
    <button type="button" class="button to-end" onClick={go}>
      ↓ Jump to latest{news > 0 && ` · ${formatBytes(news)} new`}
    </button>
  );
}

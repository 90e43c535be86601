import { useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { outputHref } from '../../api/calls.ts';
import { LogView } from '../../output/log-view.ts';
import type { OutputFeed } from '../../output/output-feed.ts';
import { bytesText } from '../../parts/quantity.ts';
import type { RunFollower } from '../../state/follow-run.ts';
import { useFollowMode } from './follow-mode.ts';

interface OutputPaneProps {
  readonly run: Run;
  readonly follower: RunFollower;
}

export function OutputPane({ run, follower }: OutputPaneProps) {
  const box = useRef<HTMLElement | null>(null);
  const lines = useRef<HTMLDivElement | null>(null);
  const view = useRef<LogView | null>(null);
  const planned = useRef(false);
  const feed = follower.feed.value;
  const follow = useFollowMode(box, (held) => feed?.hold(held));
  // Read so that the numbers above the output are drawn again.
  follower.outputVersion.value;

  useSignalEffect(() => {
    follower.outputVersion.value;
    const current = follower.feed.value;
    if (planned.current || current === null) return;
    planned.current = true;
    requestAnimationFrame(() => {
      planned.current = false;
      if (lines.current === null) return;
      view.current ??= new LogView(lines.current);
      const drawing = view.current;
      follow.around(() => drawing.draw(current.log));
    });
  });

  const total = Math.max(run.output_bytes, feed?.log.next ?? 0);
  return (
    <section class="output" aria-labelledby="output">
      <div class="output-head">
        <h2 id="output">Output</h2>
        <span class="aside">{bytesText(total)}</span>
        <span class="aside legend">= stderr</span>
        <a class="raw" href={outputHref(run.id)} target="_blank" rel="noreferrer">
          Open the full log
        </a>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard */}
      <section ref={box} class="output-box" aria-label="Output of the run" data-output tabIndex={0}>
        {feed !== null && <Earlier feed={feed} />}
        <div ref={lines} class="lines" />
        {total === 0 && <p class="nothing">{silenceOf(run)}</p>}
      </section>
      {!follow.following.value && (
        <button type="button" class="button to-end" onClick={follow.toEnd}>
          ↓ Follow the end
        </button>
      )}
    </section>
  );
}

/** What it means that there is no output. */
function silenceOf(run: Run): string {
  if (isLive(run.state) && run.connected) return 'It has printed nothing yet.';
  return run.final ? 'It printed nothing.' : 'Nothing that it printed has arrived.';
}

/** What lies before the first line shown, and how to get at it. */
function Earlier({ feed }: { readonly feed: OutputFeed }) {
  const hidden = feed.log.shownFrom;
  if (hidden === 0) return null;
  return (
    <div class="earlier">
      <span>{bytesText(hidden)} before this are not shown.</span>
      {feed.canLoadEarlier ? (
        <button type="button" class="button quiet" disabled={feed.loadingEarlier} onClick={() => feed.loadEarlier()}>
          {feed.loadingEarlier ? 'Loading…' : 'Load earlier'}
        </button>
      ) : (
        <span>The full log has them.</span>
      )}
    </div>
  );
}

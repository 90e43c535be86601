import './output.css';
import { useSignal } from '@preact/signals';
import type { ComponentProps } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { outputHref } from '../../api/calls.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import type { OutputFeed } from '../../output/output-feed.ts';
import { rememberedWrap, rememberWrap } from '../../output/remembered-wrap.ts';
import type { ViewSettings } from '../../output/terminal-view.ts';
import { Notice } from '../../parts/notice.tsx';
import { bytesText } from '../../parts/quantity.ts';
import type { RunFollower } from '../../state/follow-run.ts';
import { FindBar } from './find-bar.tsx';
import { OutputPosition } from './output-position.tsx';
import { OutputToolbar } from './output-toolbar.tsx';
import { loadedText, missingText } from './output-words.ts';
import { TextDialog } from './text-dialog.tsx';
import { useTerminal } from './use-terminal.ts';

interface OutputPaneProps {
  readonly run: Run;
  readonly follower: RunFollower;
}

export function OutputPane({ run, follower }: OutputPaneProps) {
  const feed = follower.feed.value;
  return feed === null ? null : <Pane run={run} follower={follower} feed={feed} />;
}

function Pane({ run, follower, feed }: OutputPaneProps & { readonly feed: OutputFeed }) {
  const box = useRef<HTMLElement>(null);
  const [settings, setSettings] = useState<ViewSettings>(() => ({ wrap: rememberedWrap(), choice: 'both' }));
  const finding = useSignal(false);
  /** Said for a moment: that all that is loaded was copied. */
  const isAllCopied = useSignal(false);
  /** As it was when it was asked for. */
  const text = useSignal<Pick<ComponentProps<typeof TextDialog>, 'text' | 'part'> | null>(null);
  const findField = useRef<HTMLInputElement>(null);
  const terminal = useTerminal(box, feed, follower.outputVersion, settings);
  // Read so that the numbers are drawn again.
  follower.outputVersion.value;
  const total = Math.max(run.output_bytes, feed.total);

  const change = (changed: ViewSettings) => {
    if (changed.wrap !== settings.wrap) rememberWrap(changed.wrap);
    setSettings(changed);
  };
  const openFind = () => {
    finding.value = true;
    // When it was open already.
    findField.current?.focus();
    findField.current?.select();
  };
  useShortcuts([
    {
      key: '/',
      does: 'Find in the output',
      run: openFind,
    },
  ]);
  const toEnd = () => {
    feed.toEnd();
    terminal.view.current?.toEnd();
  };
  const endFind = () => {
    finding.value = false;
    terminal.view.current?.endFind();
    terminal.view.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.key !== 'f') return;
    event.preventDefault();
    openFind();
  };

  return (
    <section class="output" aria-labelledby="output" onKeyDown={onKeyDown}>
      <div class="output-head">
        <h2 id="output">Output</h2>
        <span class="aside">{bytesText(total)}</span>
        <span class="aside legend">
          <i class="stderr" aria-hidden="true" /> stderr
        </span>
      </div>
      <OutputToolbar
        run={run}
        settings={settings}
        change={change}
        missing={missingText(follower.events.value)}
        isFinding={finding.value}
        find={openFind}
        copyText={() => terminal.view.current?.copyText() ?? ''}
        showText={() => {
          const shown = terminal.view.current?.shownText();
          const part = loadedText(feed.window.start, feed.window.next, total);
          if (shown !== undefined) text.value = { text: shown, part };
        }}
        toldCopied={(isCopied) => {
          isAllCopied.value = isCopied && terminal.view.current?.hasSelection === false;
        }}
      />
      {finding.value && (
        <FindBar
          field={findField}
          view={terminal.view}
          matches={terminal.matches}
          isAllLoaded={feed.window.start === 0 && feed.window.next >= total}
          plainTextHref={outputHref(run.id)}
          close={endFind}
        />
      )}
      <div class="output-frame">
        <OutputPosition
          run={run}
          events={follower.events.value}
          feed={feed}
          total={total}
          terminal={terminal}
          isCopied={isAllCopied.value}
          toEnd={toEnd}
        />
        {terminal.status.value === 'failed' ? (
          <Unloaded run={run} retry={terminal.retry} />
        ) : (
          <>
            <section
              ref={box}
              class="output-box"
              aria-label="Output of the run"
              aria-describedby="output-hint"
              data-output
              // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
              tabIndex={0}
            />
            <Follow feed={feed} total={total} terminal={terminal} toEnd={toEnd} />
          </>
        )}
      </div>
      <p id="output-hint" class="unseen">
        Arrow keys, Page Up, Page Down, Home and End scroll, Escape leaves. It is drawn for the eye; “Select text” in
        the toolbar has what is loaded as text, “Plain text” all of the log.
      </p>
      {text.value !== null && (
        <TextDialog
          {...text.value}
          close={() => {
            text.value = null;
          }}
        />
      )}
    </section>
  );
}

function Unloaded({ run, retry }: { readonly run: Run; readonly retry: () => void }) {
  return (
    <Notice tone="bad" title="The output cannot be shown">
      <p>
        The part of the page that draws it could not be loaded.{' '}
        <a href={outputHref(run.id)} target="_blank" rel="noreferrer">
          Open it as plain text
        </a>{' '}
        or
      </p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </Notice>
  );
}

interface FollowProps {
  readonly feed: OutputFeed;
  readonly total: number;
  readonly terminal: ReturnType<typeof useTerminal>;
  toEnd(): void;
}

/** The way back to the end, for a reader who has left it. */
function Follow({ feed, total, terminal, toEnd }: FollowProps) {
  const isThere = terminal.following.value && feed.isLive;
  const leftAt = useRef(total);
  // What is new is counted from when the reader left.
  if (isThere) leftAt.current = total;
  if (isThere || total === 0) return null;
  const news = Math.max(0, total - leftAt.current);
  const go = () => {
    toEnd();
    terminal.view.current?.focus();
  };
  return (
    <button type="button" class="button to-end" onClick={go}>
      ↓ Follow the end{news > 0 && ` · ${bytesText(news)} new`}
    </button>
  );
}

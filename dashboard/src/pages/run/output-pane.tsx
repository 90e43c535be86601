import { formatBytes } from '#shared/format-bytes';
import './output.css';
import { useRef } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { outputHref } from '../../api/calls.ts';
import { Notice } from '../../components/notice.tsx';
import type { OutputFeed } from '../../output/output-feed.ts';
import type { RunFollower } from '../../state/follow-run.ts';
import { FindBar } from './find-bar.tsx';
import { OutputBox } from './output-box.tsx';
import { missingText } from './output-labels.ts';
import { OutputPosition } from './output-position.tsx';
import { OutputToolbar } from './output-toolbar.tsx';
import { TextDialog } from './text-dialog.tsx';
import { useFind } from './use-find.ts';
import { useLoadedText } from './use-loaded-text.ts';
import { useTerminal } from './use-terminal.ts';
import { useViewSettings } from './use-view-settings.ts';

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
  const [settings, change] = useViewSettings();
  const terminal = useTerminal(box, feed, follower.outputVersion, settings);
  // Reading it subscribes this component, which draws the numbers again.
  follower.outputVersion.value;
  const total = Math.max(run.output_bytes, feed.total);
  const find = useFind(terminal);
  const loaded = useLoadedText(terminal, feed, total);
  const events = follower.events.value;
  const toEnd = () => {
    feed.toEnd();
    terminal.view.current?.toEnd();
  };

  return (
    <section class="output" aria-labelledby="output" onKeyDown={find.onKeyDown}>
      <div class="output-bar">
        <OutputHead total={total} />
        <OutputToolbar
          run={run}
          settings={settings}
          change={change}
          missing={missingText(events)}
          isFinding={find.isOpen.value}
          find={find.open}
          copyText={loaded.copy}
          showText={loaded.show}
          toldCopied={loaded.toldCopied}
        />
      </div>
      {find.isOpen.value && (
        <FindBar
          field={find.field}
          view={terminal.view}
          matches={terminal.matches}
          isAllLoaded={feed.window.start === 0 && feed.window.next >= total}
          plainTextHref={outputHref(run)}
          close={find.close}
        />
      )}
      <div class="output-frame">
        <OutputPosition
          run={run}
          events={events}
          feed={feed}
          total={total}
          terminal={terminal}
          isCopied={loaded.isAllCopied.value}
          toEnd={toEnd}
        />
        {terminal.status.value === 'failed' ? (
          <Unloaded run={run} retry={terminal.retry} />
        ) : (
          <OutputBox box={box} feed={feed} total={total} terminal={terminal} toEnd={toEnd} />
        )}
      </div>
      <p id="output-hint" class="visually-hidden">
        Arrow keys, Page Up, Page Down, Home and End scroll; Escape leaves. For screen readers use “Text view” (loaded
        part) or “Raw” (all output).
      </p>
      {loaded.shown.value !== null && <TextDialog {...loaded.shown.value} close={loaded.close} />}
    </section>
  );
}

function OutputHead({ total }: { readonly total: number }) {
  return (
    <div class="output-head">
      <h2 id="output">Output</h2>
      <span class="aside">{formatBytes(total)}</span>
    </div>
  );
}

function Unloaded({ run, retry }: { readonly run: Run; readonly retry: () => void }) {
  return (
    <Notice tone="bad" title="Couldn’t show the output">
      <p>
        The output viewer failed to load.{' '}
        <a href={outputHref(run)} target="_blank" rel="noreferrer">
          Open raw output
        </a>{' '}
        or
      </p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </Notice>
  );
}

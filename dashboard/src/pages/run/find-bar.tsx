import type { ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { FindRequest, Matches } from '../../output/terminal-search.ts';
import type { TerminalView } from '../../output/terminal-view.ts';
import { matchesText } from './output-labels.ts';

interface FindBarProps {
  readonly field: RefObject<HTMLInputElement | null>;
  readonly view: RefObject<TerminalView | null>;
  readonly matches: ReadonlySignal<Matches | null>;
  /** Whether the whole log is searched. */
  readonly isAllLoaded: boolean;
  readonly plainTextHref: string;
  close(): void;
}

export function FindBar({ field, view, matches, isAllLoaded, plainTextHref, close }: FindBarProps) {
  const [text, setText] = useState('');
  const [caseSensitive, setCaseSensitive] = useState(false);
  useLayoutEffect(() => field.current?.focus(), [field]);

  const find = (changed: Partial<FindRequest>) =>
    view.current?.find({ text, caseSensitive, direction: 'previous', isTyping: false, ...changed });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && event.target === field.current) {
      find({ direction: event.shiftKey ? 'previous' : 'next' });
    } else if ((event.ctrlKey || event.metaKey) && event.key === 'f') field.current?.select();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <search class="find-bar" onKeyDown={onKeyDown}>
      <input
        ref={field}
        type="text"
        aria-label="Find in loaded output"
        placeholder="Find in loaded output"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          find({ text: event.currentTarget.value, isTyping: true });
        }}
      />
      <span class="find-count" role="status">
        {text === '' ? '' : matchesText(matches.value)}
      </span>
      <button
        type="button"
        class="button quiet toggle"
        aria-pressed={caseSensitive}
        aria-label="Match case"
        title="Match case"
        onClick={() => {
          setCaseSensitive(!caseSensitive);
          find({ caseSensitive: !caseSensitive });
        }}
      >
        Aa
      </button>
      <button
        type="button"
        class="button quiet"
        aria-label="Previous match"
        onClick={() => find({ direction: 'previous' })}
      >
        ↑
      </button>
      <button type="button" class="button quiet" aria-label="Next match" onClick={() => find({ direction: 'next' })}>
        ↓
      </button>
      <button type="button" class="button quiet" aria-label="Close search" onClick={close}>
        ×
      </button>
      {/* There before it says anything: what comes with its words is not read out. */}
      <p class="find-hint" role="status">
        {text !== '' && !isAllLoaded && (matches.value?.count ?? 0) === 0 && (
          <>
            Only the loaded part was searched. Search all output in the{' '}
            <a href={plainTextHref} target="_blank" rel="noreferrer">
              raw view
            </a>
            .
          </>
        )}
      </p>
    </search>
  );
}

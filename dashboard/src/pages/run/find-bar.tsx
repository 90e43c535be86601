import type { ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { FindRequest, Matches, TerminalView } from '../../output/terminal-view.ts';
import { matchesText } from './output-words.ts';

interface FindBarProps {
  readonly field: RefObject<HTMLInputElement | null>;
  readonly view: RefObject<TerminalView | null>;
  readonly matches: ReadonlySignal<Matches | null>;
  close(): void;
}

export function FindBar({ field, view, matches, close }: FindBarProps) {
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
        aria-label="Find in the part that is shown"
        placeholder="Find in the part that is shown"
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
      <button type="button" class="button quiet" aria-label="Close the search" onClick={close}>
        ×
      </button>
    </search>
  );
}

/** What is loaded of the output, as text: copied, or shown to be selected. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { OutputFeed } from '../../output/output-feed.ts';
import { loadedText } from './output-labels.ts';
import type { TextDialogProps } from './text-dialog.tsx';
import type { TerminalHandle } from './use-terminal.ts';

type ShownText = Omit<TextDialogProps, 'close'>;

export interface LoadedText {
  /** What is selected, or all that is loaded. */
  copy(): string;
  /** For the copy button: shown for a moment. */
  toldCopied(isCopied: boolean): void;
  /** Whether it is to be said that all that is loaded was copied. */
  readonly isAllCopied: ReadonlySignal<boolean>;
  show(): void;
  /** As it was when it was asked for; null while it is not shown. */
  readonly shown: ReadonlySignal<ShownText | null>;
  close(): void;
}

export function useLoadedText({ view }: TerminalHandle, feed: OutputFeed, total: number): LoadedText {
  const isAllCopied = useSignal(false);
  const shown = useSignal<ShownText | null>(null);
  return {
    copy: () => view.current?.copyText() ?? '',
    toldCopied: (isCopied) => {
      isAllCopied.value = isCopied && view.current?.hasSelection === false;
    },
    isAllCopied,
    show: () => {
      const text = view.current?.shownText();
      const part = loadedText(feed.window.start, feed.window.next, total);
      if (text !== undefined) shown.value = { text, part };
    },
    shown,
    close: () => {
      shown.value = null;
    },
  };
}

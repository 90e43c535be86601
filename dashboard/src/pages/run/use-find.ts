/** Opening and closing the search in the output, also by key. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import type { TerminalHandle } from './use-terminal.ts';

export interface Find {
  readonly isOpen: ReadonlySignal<boolean>;
  readonly field: RefObject<HTMLInputElement | null>;
  open(): void;
  close(): void;
  /** For the keys that are pressed in the output's pane. */
  onKeyDown(event: KeyboardEvent): void;
}

export function useFind({ view }: TerminalHandle): Find {
  const isOpen = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  const open = () => {
    isOpen.value = true;
    // When it was open already.
    field.current?.focus();
    field.current?.select();
  };
  useShortcuts([{ key: '/', does: 'Find in output', run: open }]);
  return {
    isOpen,
    field,
    open,
    close: () => {
      isOpen.value = false;
      view.current?.endFind();
      view.current?.focus();
    },
    onKeyDown: (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== 'f') return;
      event.preventDefault();
      open();
    },
  };
}

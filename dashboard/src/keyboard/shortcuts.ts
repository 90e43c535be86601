/**
 * What keys do on the page that is shown. A page names its keys while it is there; one listener hears them all, so that
 * a key never means two things at once.
 */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { keyOf } from './key-of.ts';

export interface Shortcut {
  /** As in `KeyboardEvent.key`: `j`, `K` with Shift, `/`, `Enter`. */
  readonly key: string;
  /** For the help. */
  readonly does: string;
  run(): void;
}

const active = signal<readonly Shortcut[]>([]);

/** What can be pressed now, for the help. */
export const shortcuts = active;

/** Hears the keys while the component is there. What the last one that came says of a key counts. */
export function useShortcuts(wanted: readonly Shortcut[]): void {
  const current = useRef(wanted);
  current.current = wanted;
  // Registered once for each set of keys: what they do is looked up when they are pressed.
  const keys = wanted.map(({ key, does }) => `${key} ${does}`).join('\n');
  useEffect(() => {
    const mine = current.current.map(({ key, does }) => ({
      key,
      does,
      run: () => current.current.find((shortcut) => shortcut.key === key)?.run(),
    }));
    active.value = [...active.peek(), ...mine];
    return () => {
      active.value = active.peek().filter((shortcut) => !mine.includes(shortcut));
    };
  }, [keys]);
}

export function startShortcuts(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === 'Escape' && leave(event.target)) event.preventDefault();
    if (isTaken(event)) return;
    const pressed = keyOf(event);
    const shortcut = active.peek().findLast(({ key }) => key === pressed);
    // A held key must not act twice, except to move.
    if (shortcut === undefined || (event.repeat && !MOVES.has(pressed))) return;
    event.preventDefault();
    shortcut.run();
  });
}

/** Takes the focus from a field or the output. */
function leave(target: EventTarget | null): boolean {
  // By default the browser clears a search field on Escape, without an event that would clear the filter.
  const isField = target instanceof HTMLInputElement && target.closest('dialog') === null;
  const isOutput = target instanceof HTMLElement && target.closest('[data-output]') !== null;
  if (!isField && !isOutput) return false;
  target.blur();
  return true;
}

const MOVES: ReadonlySet<string> = new Set(['j', 'k']);

/** Whether the key belongs to what has the focus, or to a dialog that is open. */
function isTaken(event: KeyboardEvent): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  const { target } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement && target.type === 'checkbox') return event.key === ' ';
  // A slider has dealt with its own keys by now, or needs none that is a letter.
  if (target instanceof HTMLInputElement) return target.type !== 'range';
  // The terminal's, which has the focus once it was clicked, takes nothing that is typed.
  if (target instanceof HTMLTextAreaElement) return !target.readOnly;
  if (target instanceof HTMLSelectElement) return true;
  return event.key === 'Enter' && target.matches('a, button, summary');
}

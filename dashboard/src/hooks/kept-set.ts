import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { remembered, saveOnLeaving } from '../state/history-entry.ts';

/** What the reader has opened or folded, by name: as they left it when they come back to the page. */
export function useKeptSet(name: string): Signal<ReadonlySet<string>> {
  const kept = useSignal<ReadonlySet<string>>(new Set(stringsOf(remembered(name))));
  useEffect(() => saveOnLeaving(name, () => [...kept.peek()]), [name]);
  return kept;
}

function stringsOf(kept: unknown): string[] {
  return Array.isArray(kept) ? kept.filter((each) => typeof each === 'string') : [];
}

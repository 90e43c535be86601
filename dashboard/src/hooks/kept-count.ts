import { useEffect, useRef } from 'preact/hooks';
import { remembered, saveOnLeaving } from '../state/history-entry.ts';

const NAME = 'count';

export interface KeptCount {
  /** How much of the list was loaded when the reader left it: returned once. 0 on a first visit. */
  take(): number;
  /** How much is loaded by now. */
  note(count: number): void;
}

export function useKeptCount(): KeptCount {
  const kept = useRef<number | null>(null);
  const noted = useRef(0);
  kept.current ??= numberOf(remembered(NAME));
  useEffect(() => saveOnLeaving(NAME, () => noted.current), []);
  return {
    take: () => {
      const count = kept.current ?? 0;
      kept.current = 0;
      return count;
    },
    note: (count) => {
      noted.current = count;
    },
  };
}

function numberOf(known: unknown): number {
  return typeof known === 'number' ? known : 0;
}

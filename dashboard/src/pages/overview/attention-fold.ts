/** On a phone, many rows under Needs attention would push running jobs out of view: they fold into one line. */
import { useKeptSet } from '../../hooks/kept-set.ts';
import { NARROW, useMedia } from '../../hooks/use-media.ts';
import type { Overview, Row } from './rows.ts';

/** More rows than this are folded. */
const SHOWN_ROWS = 3;
const OPENED = 'attention';

export interface AttentionFold {
  readonly isOpen: boolean;
  toggle(): void;
}

/** @returns the rows to be shown, and how those that need attention are folded; null when they are not */
export function useAttentionFold({ rows, counts }: Overview): [rows: readonly Row[], fold: AttentionFold | null] {
  const isNarrow = useMedia(NARROW);
  const opened = useKeptSet('opened');
  if (!isNarrow || counts.running === 0 || attentionRows(rows) <= SHOWN_ROWS) return [rows, null];
  const isOpen = opened.value.has(OPENED);
  const toggle = () => {
    opened.value = new Set(isOpen ? [] : [OPENED]);
  };
  return [isOpen ? rows : withoutAttention(rows), { isOpen, toggle }];
}

/** How many rows need attention, if there are others as well. Pure. */
export function attentionRows(rows: readonly Row[]): number {
  const others = endOfAttention(rows);
  return rows[0]?.kind === 'section' && rows[0].section === 'attention' && others < rows.length ? others - 1 : 0;
}

/** Leaves of them their heading alone. Pure. */
export function withoutAttention(rows: readonly Row[]): readonly Row[] {
  return [...rows.slice(0, 1), ...rows.slice(endOfAttention(rows))];
}

function endOfAttention(rows: readonly Row[]): number {
  const next = rows.findIndex((row, index) => index > 0 && row.kind === 'section');
  return next === -1 ? rows.length : next;
}

import type { RefObject } from 'preact';
import { useScrollRestoration } from '../../hooks/scroll-restoration.ts';
import { usePickAndKill } from '../../keyboard/pick-and-kill.ts';
import { useRowCursor } from '../../keyboard/row-cursor.ts';
import type { KillScope } from '../../state/pending-kills.ts';
import type { Selection } from '../../state/selection.ts';
import { keyOf, keysOf, type RunRows } from './run-rows.tsx';
import type { OpenRuns } from './use-open-runs.ts';

interface JobCursorOptions {
  /** What both lists are in. */
  readonly within: RefObject<HTMLElement | null>;
  readonly openRows: RunRows;
  readonly pastRows: RunRows;
  readonly open: OpenRuns;
  /** Whether there are as many rows as there were when the reader left, or as there are. */
  readonly isComplete: boolean;
  readonly selection: Selection;
  ask(scope: KillScope): void;
}

/** One cursor for both of the job's lists: after the last run of the upper one comes the first of the lower. */
export function useJobCursor(options: JobCursorOptions): void {
  const { within, openRows, pastRows, open, isComplete, selection, ask } = options;
  const keys = [...keysOf(openRows), ...keysOf(pastRows)];
  const rowsWith = (key: string) => (key.startsWith(openRows.prefix) ? openRows : pastRows);
  useScrollRestoration({
    keys,
    within,
    startPx: (key) => rowsWith(key).virtual.startPx(keysOf(rowsWith(key)).indexOf(key)),
    isComplete,
  });
  const cursor = useRowCursor({
    keys,
    within,
    reveal: (key) => rowsWith(key).virtual.reveal(keysOf(rowsWith(key)).indexOf(key)),
  });
  const runsHere = () => {
    const marked = cursor.marked();
    return open.all.filter((run) => marked === keyOf(openRows, run) || marked === keyOf(pastRows, run));
  };
  usePickAndKill({ selection, runsHere, picks: 'the run', ask });
}

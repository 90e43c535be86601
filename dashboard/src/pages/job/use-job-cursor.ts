import type { RefObject } from 'preact';
import { usePickAndKill } from '../../keyboard/pick-and-kill.ts';
import { useRowCursor } from '../../keyboard/row-cursor.ts';
import type { KillScope } from '../../state/kill-orders.ts';
import type { Selection } from '../../state/selection.ts';
import { keyOf, keysOf, type RunRows } from './run-rows.tsx';
import type { OpenRuns } from './use-open-runs.ts';

interface JobCursorOptions {
  /** What both lists are in. */
  readonly within: RefObject<HTMLElement | null>;
  readonly openRows: RunRows;
  readonly pastRows: RunRows;
  readonly open: OpenRuns;
  readonly selection: Selection;
  ask(scope: KillScope): void;
}

/** One cursor for both of the job's lists: from the last run of the upper one it goes on to the first of the lower. */
export function useJobCursor({ within, openRows, pastRows, open, selection, ask }: JobCursorOptions): void {
  const cursor = useRowCursor({
    keys: [...keysOf(openRows), ...keysOf(pastRows)],
    within,
    reveal: (key) => {
      const rows = key.startsWith(openRows.prefix) ? openRows : pastRows;
      rows.virtual.reveal(keysOf(rows).indexOf(key));
    },
  });
  const runsHere = () => {
    const marked = cursor.marked();
    return open.all.filter((run) => marked === keyOf(openRows, run) || marked === keyOf(pastRows, run));
  };
  usePickAndKill({ selection, runsHere, picks: 'the run', ask });
}

/** The gaps of long output, to show where they are and to go to their starts. */
import { useEffect, useState } from 'preact/hooks';
import type { RunEvent } from '#protocol/api';
import { fetchGaps, type Gap } from '../../api/calls.ts';
import type { RunName } from '../../state/run-ref.ts';
import { gapEvents } from './output-labels.ts';

/** Null until loaded. If loading fails, the output marks its gaps all the same. */
export function useGaps(run: RunName, events: readonly RunEvent[], isLong: boolean): readonly Gap[] | null {
  const [gaps, setGaps] = useState<readonly Gap[] | null>(null);
  const told = gapEvents(events).length;
  useEffect(() => {
    if (!isLong) return;
    let isGone = false;
    void fetchGaps(run).then((answer) => {
      if (!isGone) setGaps((known) => (answer.ok ? answer.value : (known ?? [])));
    });
    return () => {
      isGone = true;
    };
  }, [run.job, run.id, told, isLong]);
  return gaps;
}

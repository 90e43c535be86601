/** What is missing of a run's log, so that a reader can be shown where, and led to its beginning. */
import { useEffect, useState } from 'preact/hooks';
import type { RunEvent } from '#protocol/api';
import { fetchGaps, type Gap } from '../../api/calls.ts';
import { gapEvents } from './output-words.ts';

/** Empty until it is known: what is missing is told in the output all the same. */
export function useGaps(run: string, events: readonly RunEvent[]): readonly Gap[] {
  const [gaps, setGaps] = useState<readonly Gap[]>([]);
  const told = gapEvents(events).length;
  useEffect(() => {
    if (told === 0) return;
    let isGone = false;
    void fetchGaps(run).then((answer) => {
      if (answer.ok && !isGone) setGaps(answer.value);
    });
    return () => {
      isGone = true;
    };
  }, [run, told]);
  return gaps;
}

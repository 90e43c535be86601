/** Keeps the history in step with what is looked at and with what is pushed. */
import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { query } from '../../router.tsx';
import { changedRuns, forgottenRuns, link, openRuns } from '../../state/fleet.ts';
import { matches, parseFilter } from '../overview/filter.ts';
import { findable } from '../overview/rows.ts';
import type { LaneKind } from './lane-index.ts';
import { RunHistory } from './run-history.ts';
import type { TimelineState } from './timeline-state.ts';

/** @param state whose settled view is what has to be there */
export function useRunHistory(state: TimelineState, kind: LaneKind): RunHistory {
  const history = useMemo(() => new RunHistory(), []);
  const typed = query.value.get('q') ?? '';
  // While it is drawn, not after: there is no moment in which the lanes are those of another wish.
  useMemo(() => {
    const filter = parseFilter(typed);
    history.arrange(kind, (run) => filter.length === 0 || matches(filter, findable(run)));
  }, [kind, typed]);

  const { span, to } = state.settled.value;
  const { kind: linkKind } = link.value;
  // Whatever changed between the fetching and the first pushes would be missed.
  const isConnecting = linkKind === 'connecting';
  useEffect(() => {
    if (isConnecting) return;
    const { from } = state.settledPeriod.peek();
    history.show({ from: Math.floor(from), to: to ?? Number.POSITIVE_INFINITY });
  }, [span, to, isConnecting]);
  const wasDown = useRef(false);
  useEffect(() => {
    if (linkKind === 'open' && wasDown.current) history.refresh();
    wasDown.current = linkKind === 'down';
  }, [linkKind]);

  useSignalEffect(() => history.put(openRuns.value.values()));
  useSignalEffect(() => history.put(changedRuns.value));
  useSignalEffect(() => history.forget(forgottenRuns.value));
  useEffect(() => () => history.close(), []);
  return history;
}

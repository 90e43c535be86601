/** Keeps the history in step with the view, and with the connection. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { query } from '../../router.tsx';
import { syncStatus } from '../../state/fleet.ts';
import { findable, matches, parseFilter } from '../../state/text-filter.ts';
import type { LaneKind } from './lanes.ts';
import { RunHistory } from './run-history.ts';
import type { ViewControl } from './use-view.ts';

export function useRunHistory({ settled, settledPeriod }: ViewControl, kind: LaneKind): RunHistory {
  const history = useMemo(() => new RunHistory(), []);
  const typed = query.value.get('q') ?? '';
  // During the render, not after it: no frame shows the lanes of another filter.
  useMemo(() => {
    const filter = parseFilter(typed);
    history.groupBy(kind, (run) => filter.length === 0 || matches(filter, findable(run)));
  }, [kind, typed]);

  const { zoom, to } = settled.value;
  const { kind: syncKind } = syncStatus.value;
  // Changes between a fetch and the first pushes would be missed.
  const isConnecting = syncKind === 'connecting';
  useEffect(() => {
    if (isConnecting) return;
    history.show({ from: Math.floor(settledPeriod.peek().from), to: to ?? Number.POSITIVE_INFINITY });
  }, [zoom, to, isConnecting]);
  const wasStale = useRef(false);
  useEffect(() => {
    if (syncKind === 'syncing' && wasStale.current) history.refresh();
    wasStale.current = syncKind === 'stale';
  }, [syncKind]);

  useEffect(() => () => history.close(), []);
  return history;
}

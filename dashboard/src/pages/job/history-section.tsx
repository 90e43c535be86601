import type { RefObject } from 'preact';
import type { KillScope } from '../../state/pending-kills.ts';
import type { Selection } from '../../state/selection.ts';
import { ChartPane } from './chart-pane.tsx';
import type { RunFilter } from './filter.ts';
import { Filters } from './filters.tsx';
import type { RunHistory } from './history.ts';
import { HistoryEnd } from './history-end.tsx';
import { PastRow } from './run-row.tsx';
import { RunList, type RunRows } from './run-rows.tsx';

interface HistorySectionProps {
  readonly history: RunHistory;
  readonly filter: RunFilter;
  /** Where the filters are: they stay in sight over the rows. */
  readonly filters: RefObject<HTMLElement | null>;
  /** Whether nothing of it was loaded yet. */
  readonly isAwaited: boolean;
  readonly machines: readonly string[];
  readonly rows: RunRows;
  readonly selection: Selection;
  ask(scope: KillScope): void;
}

/** The runs of a job as far as the filter lets them through, as a chart and as a list. */
export function HistorySection(props: HistorySectionProps) {
  const { history, filter, filters, isAwaited, machines, rows, selection, ask } = props;
  return (
    <section class="job-history" aria-labelledby="job-history">
      <h2 id="job-history">History</h2>
      <Filters place={filters} filter={filter} machines={machines} />
      {(isAwaited || rows.runs.length > 0) && <ChartPane runs={rows.runs} isAwaited={isAwaited} />}
      <RunList
        rows={rows}
        label="History, newest first"
        row={(run) => <PastRow run={run} selection={selection} ask={ask} />}
      />
      {!isAwaited && <HistoryEnd history={history} filter={filter} shown={rows.runs.length} />}
    </section>
  );
}

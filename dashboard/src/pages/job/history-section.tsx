import type { RefObject } from 'preact';
import type { KillScope } from '../../state/kill-orders.ts';
import type { Selection } from '../../state/selection.ts';
import { ChartPane } from './chart-pane.tsx';
import type { RunFilter } from './filter.ts';
import { Filters } from './filters.tsx';
import type { JobFollower } from './follow-job.ts';
import { HistoryEnd } from './history-end.tsx';
import { PastRow } from './run-row.tsx';
import { RunList, type RunRows } from './run-rows.tsx';

interface HistorySectionProps {
  readonly follower: JobFollower;
  readonly filter: RunFilter;
  /** Where the filters are: they stay in sight over the rows. */
  readonly filters: RefObject<HTMLElement | null>;
  readonly machines: readonly string[];
  readonly rows: RunRows;
  readonly selection: Selection;
  ask(scope: KillScope): void;
}

/** The runs of a job as far as the filter lets them through, as a chart and as a list. */
export function HistorySection({ follower, filter, filters, machines, rows, selection, ask }: HistorySectionProps) {
  return (
    <section class="job-history" aria-labelledby="job-history">
      <h2 id="job-history">History</h2>
      <Filters place={filters} filter={filter} machines={machines} />
      {rows.runs.length > 0 && <ChartPane runs={rows.runs} />}
      <RunList
        rows={rows}
        label="History, newest first"
        row={(run) => <PastRow run={run} selection={selection} ask={ask} />}
      />
      <HistoryEnd follower={follower} filter={filter} shown={rows.runs.length} />
    </section>
  );
}

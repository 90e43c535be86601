import { TruncatedNotice } from '../../components/truncated-notice.tsx';
import type { KillScope } from '../../state/pending-kills.ts';
import type { Selection } from '../../state/selection.ts';
import type { JobSummary } from '../../state/store.ts';
import { Idle } from './job-head.tsx';
import { OpenRow } from './run-row.tsx';
import { RunList, type RunRows } from './run-rows.tsx';
import { type OpenRuns, SHOWN_FOLDED } from './use-open-runs.ts';

interface OpenRunsSectionProps {
  readonly open: OpenRuns;
  readonly rows: RunRows;
  readonly job: JobSummary | null;
  /** Whether those are known that are not running either: they may come back. */
  readonly isKnown: boolean;
  /** Whether there are more than are listed. */
  readonly isCut: boolean;
  readonly selection: Selection;
  ask(scope: KillScope): void;
}

/** What runs of the job now. */
export function OpenRunsSection({ open, rows, job, isKnown, isCut, selection, ask }: OpenRunsSectionProps) {
  return (
    <section class="job-open" aria-labelledby="job-open">
      <h2 id="job-open">
        Now <span class="count">{open.all.length}</span>
      </h2>
      {isCut && (
        <TruncatedNotice one="run" which="the newest">
          “Kill all” includes the runs not listed.
        </TruncatedNotice>
      )}
      {open.all.length === 0 ? (
        isKnown && <Idle job={job} />
      ) : (
        <RunList rows={rows} label="Running now" row={(run) => <OpenRow run={run} selection={selection} ask={ask} />} />
      )}
      {open.isFoldable && (
        <button type="button" class="button quiet job-unfold" aria-expanded={!open.isFolded} onClick={open.toggleFold}>
          {open.isFolded ? `Show all ${open.all.length}` : `Show first ${SHOWN_FOLDED}`}
        </button>
      )}
    </section>
  );
}

/** A run of the job: among those that run now, and in the history. */

import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { OpenRunRow, type RowActions } from '../../components/open-run-row.tsx';
import { KillButton } from '../../components/pick-and-kill.tsx';
import { RunStateBadge, StateBadge } from '../../components/run-state.tsx';
import { Ago, Clock, Duration } from '../../components/time.tsx';
import { Link, runPath, setFilter } from '../../router.tsx';
import { durationMs } from './durations.ts';

interface RowProps extends RowActions {
  readonly run: Run;
}

export function OpenRow({ run, selection, ask }: RowProps) {
  return (
    <OpenRunRow run={run} name={run.machine} class="open-run" hasStart selection={selection} ask={ask}>
      <div class="cell-instance">
        <InstanceButton instance={run.instance} />
      </div>
    </OpenRunRow>
  );
}

export function PastRow({ run, selection, ask }: RowProps) {
  const isOpen = isLive(run.state) || !run.final;
  return (
    <article class="row past-run" data-run={run.id} data-state={run.state}>
      <div class="cell-state">
        {isOpen ? <RunStateBadge run={run} /> : <StateBadge state={run.state} note={exitNote(run)} />}
      </div>
      <div class="cell-name">
        <Link to={runPath(run)} class="row-link" label={`Run on ${run.machine}, ${run.instance}`} cursor>
          {run.machine}
        </Link>
      </div>
      <div class="cell-instance">
        <InstanceButton instance={run.instance} />
      </div>
      <div class="cell-start">
        <Clock at={run.started_at} />{' '}
        <span class="ago">
          <Ago at={run.started_at} />
        </span>
      </div>
      <div class="cell-time">
        {isLive(run.state) ? <Duration from={run.started_at} to={null} /> : <Took run={run} />}
      </div>
      <div class="cell-kill">
        {isOpen && (
          <KillButton
            runs={[run]}
            selection={selection}
            ask={ask}
            label={`Kill ${run.job} on ${run.machine}, in the history`}
          />
        )}
      </div>
    </article>
  );
}

function Took({ run }: { readonly run: Run }) {
  return <span class="duration">{formatDuration(durationMs(run, 0))}</span>;
}

function InstanceButton({ instance }: { readonly instance: string }) {
  return (
    <button
      type="button"
      class="instance"
      title={`Filter by instance ${instance}`}
      aria-label={`Filter by instance ${instance}`}
      onClick={() => setFilter({ instance })}
    >
      {instance}
    </button>
  );
}

function exitNote({ state, exit_code }: Run): string | null {
  return state === 'succeeded' || exit_code === null ? null : `exit code ${exit_code}`;
}

import type { Run } from '#protocol/api';
import { RunStateBadge } from '../../parts/run-state.tsx';
import { Ago, Duration } from '../../parts/time.tsx';
import { Link } from '../../router.tsx';

interface RunTableProps {
  readonly runs: readonly Run[];
  readonly labelledBy: string;
}

/** Runs in rows; on a narrow screen each row becomes a card. */
export function RunTable({ runs, labelledBy }: RunTableProps) {
  return (
    <table class="runs" aria-labelledby={labelledBy}>
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Job</th>
          <th scope="col">Machine</th>
          <th scope="col">Started</th>
          <th scope="col" class="number">
            Duration
          </th>
          <th scope="col" class="number">
            Exit
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <RunRow key={run.id} run={run} />
        ))}
      </tbody>
    </table>
  );
}

function RunRow({ run }: { readonly run: Run }) {
  return (
    <tr data-run={run.id} data-state={run.state} data-connected={run.connected}>
      <td class="cell-state">
        <RunStateBadge run={run} />
      </td>
      <td class="cell-job">
        <Link to={`/runs/${run.id}`} class="row-link" label={`${run.job} on ${run.machine}`}>
          {run.job}
        </Link>
        <span class="command-line" title={run.command}>
          {run.command}
        </span>
      </td>
      <td class="cell-machine" title={run.machine}>
        {run.machine}
      </td>
      <td class="cell-started">
        <Ago at={run.started_at} />
      </td>
      <td class="cell-duration number">
        <Duration from={run.started_at} to={run.ended_at} />
      </td>
      <td class="cell-exit number">{run.exit_code === null ? <span aria-hidden="true">–</span> : run.exit_code}</td>
    </tr>
  );
}

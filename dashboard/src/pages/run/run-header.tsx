import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { LinkStatus } from '../../components/link-status.tsx';
import { MachineLink } from '../../components/machine-link.tsx';
import { RunStateBadge } from '../../components/run-state.tsx';
import { Ago, Duration } from '../../components/time.tsx';
import { jobPath, Link } from '../../router.tsx';
import type { SyncStatus } from '../../state/sync.ts';
import { wasSeenToEnd } from './run-labels.ts';

interface RunHeaderProps {
  readonly run: Run;
  readonly syncStatus: SyncStatus;
}

/** Which run this is, how it is with it and for how long: in view however far one scrolls. */
export function RunHeader({ run, syncStatus }: RunHeaderProps) {
  return (
    <header class="run-header" data-run={run.id} data-state={run.state} data-connected={run.connected}>
      <h1 title={`${run.job} on ${run.machine}`}>
        <Link to={jobPath(run.job)} class="to-job" title="View job">
          {run.job}
        </Link>{' '}
        <span class="run-machine">
          on <MachineLink name={run.machine} />
        </span>
      </h1>
      <p class="run-status">
        <RunStateBadge run={run} />
        {isLive(run.state) ? <Elapsed run={run} /> : <HowItEnded run={run} />}
      </p>
      <LinkStatus status={syncStatus} />
    </header>
  );
}

function Elapsed({ run }: { readonly run: Run }) {
  return (
    <>
      <span>
        <span class="visually-hidden">{run.state === 'waiting' ? 'Waiting for ' : 'Running for '}</span>
        <Duration from={run.started_at} to={null} />
      </span>
      {!run.connected && run.disconnected_since !== null && (
        <span class="out-of-touch">
          since <Ago at={run.disconnected_since} />
        </span>
      )}
    </>
  );
}

/** What the time from its start to its end was: of a run that never started, the time that it waited. */
function tookText({ asked_at, pid, reason }: Run): string {
  if (!wasSeenToEnd(reason)) return 'last seen after';
  return asked_at !== null && pid === null ? 'waited' : 'took';
}

function HowItEnded({ run }: { readonly run: Run }) {
  return (
    <>
      {run.exit_code !== null && (
        <span>
          exit code <strong data-exit-code={run.exit_code}>{run.exit_code}</strong>
        </span>
      )}
      <span>
        {tookText(run)} <Duration from={run.started_at} to={run.ended_at} />
      </span>
      {run.ended_at !== null && <Ago at={run.ended_at} />}
    </>
  );
}

import type { Run } from '#protocol/api';
import { ReadingDialog } from '../../components/dialog.tsx';
import { RunStateBadge } from '../../components/run-state.tsx';
import { Clock, Duration } from '../../components/time.tsx';
import { Link, runPath } from '../../router.tsx';
import { refOf } from '../../state/run-ref.ts';
import { isBad, startsOf } from './bar-labels.ts';
import { periodText } from './time-axis.ts';

const MOST_LISTED = 200;

interface GroupDialogProps {
  readonly runs: readonly Run[];
  close(): void;
}

/** The runs of a group, the bad ones first: a list that is truncated must not hide them. */
export function GroupDialog({ runs, close }: GroupDialogProps) {
  const listed = runs.toSorted((a, b) => Number(isBad(b)) - Number(isBad(a))).slice(0, MOST_LISTED);
  return (
    <ReadingDialog title={`${runs.length} runs, ${periodText(startsOf(runs))}`} class="group-dialog" close={close}>
      <ul class="group-runs">
        {listed.map((run) => (
          <li key={refOf(run)}>
            <RunStateBadge run={run} />
            <Link to={runPath(run)}>
              {run.job} on {run.machine}
            </Link>
            <span>
              <Clock at={run.started_at} /> · <Duration from={run.started_at} to={run.ended_at} />
            </span>
          </li>
        ))}
      </ul>
      {runs.length > listed.length && <p class="help">{runs.length - listed.length} more are not listed.</p>}
    </ReadingDialog>
  );
}

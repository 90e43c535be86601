import type { Run } from '#protocol/api';
import { isBadEnd } from '#protocol/run-state';
import { StateBadge } from '../../components/run-state.tsx';
import { Ago } from '../../components/time.tsx';
import { countText } from '../../format/quantity.ts';
import { Link, runPath } from '../../router.tsx';
import { machineCount } from '../../state/last-ends.ts';
import type { JobSummary } from '../../state/store.ts';

/** More machines than this are left to the history. */
const TOLD = 5;

interface BadEndsProps {
  readonly job: JobSummary;
  /** Where something of it is open, how it ended before is history. */
  readonly open: readonly Run[];
}

/** On which machines its last run did not end well, however many have ended since on others. */
export function BadEnds({ job, open }: BadEndsProps) {
  const busy = new Set(open.map(({ machine }) => machine));
  const bad = [...job.lastEnds.byMachine.values()]
    .filter(({ machine, state }) => isBadEnd(state) && !busy.has(machine))
    .sort((a, b) => (a.ended_at < b.ended_at ? 1 : -1));
  if (bad.length === 0) return null;
  const count = bad.length + job.lastEnds.unlisted.bad;
  return (
    <section class="job-bad" aria-label="Needs attention">
      <p>
        Needs attention on {count} of {countText(machineCount(job.lastEnds), 'machine')}
      </p>
      <ul>
        {bad.slice(0, TOLD).map(({ machine, run, state, exit_code, ended_at }) => (
          <li key={machine} data-machine={machine}>
            <Link to={runPath({ id: run, job: job.name })}>{machine}</Link>{' '}
            <StateBadge state={state} note={exit_code === null ? null : `exit code ${exit_code}`} />{' '}
            <span class="aside">
              <Ago at={ended_at} />
            </span>
          </li>
        ))}
        {count > TOLD && <li class="aside">and on {count - Math.min(TOLD, bad.length)} more</li>}
      </ul>
    </section>
  );
}

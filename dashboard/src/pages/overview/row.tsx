import type { LastEnd } from '#protocol/api';
import { EndsStrip } from '../../components/ends-strip.tsx';
import { MachineLink } from '../../components/machine-link.tsx';
import { OpenRunRow, type RowActions } from '../../components/open-run-row.tsx';
import { KillButton, Picker, Unpickable } from '../../components/pick-and-kill.tsx';
import { isSlow, StateBadge } from '../../components/run-state.tsx';
import { Ago } from '../../components/time.tsx';
import { countText } from '../../format/quantity.ts';
import { jobPath, Link, runPath } from '../../router.tsx';
import { machineCount } from '../../state/last-ends.ts';
import type { Row } from './rows.ts';

type RowOfKind<Kind extends Row['kind']> = Omit<Extract<Row, { kind: Kind }>, 'kind'>;

/** @property job for the only run of its job: otherwise the job has a row of its own above */
export function RunRow({ run, job, selection, ask }: RowOfKind<'run'> & RowActions) {
  return (
    <OpenRunRow
      run={run}
      name={job === null ? run.machine : run.job}
      class={job === null ? 'inner' : ''}
      selection={selection}
      ask={ask}
      afterTime={<div class="cell-ends">{job !== null && <EndsStrip ends={job.ends} />}</div>}
    >
      <div class="cell-machine" title={run.machine}>
        {job !== null && <MachineLink name={run.machine} />}
      </div>
    </OpenRunRow>
  );
}

/** Points at what it opens. */
export function FoldSign() {
  return (
    <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
      <path d="m5 2.5 6 5.5-6 5.5" class="stroke" />
    </svg>
  );
}

/** Several runs of one job. */
export function JobRow({
  job,
  runs,
  isOpen,
  selection,
  ask,
  toggle,
}: RowOfKind<'job'> & RowActions & { toggle(): void }) {
  const killing = runs.filter(({ state }) => state === 'killing').length;
  const waiting = runs.filter(({ state }) => state === 'waiting').length;
  const slow = runs.filter(isSlow).length;
  const away = runs.filter(({ connected }) => !connected).length;
  const machines = new Set(runs.map(({ machine }) => machine)).size;
  return (
    <article class="row" data-job={job.name}>
      <Picker runs={runs} selection={selection} label={`Select all ${runs.length} runs of ${job.name}`} />
      <div class="cell-state">
        <button type="button" class="fold" aria-expanded={isOpen} onClick={toggle}>
          <FoldSign />
          {away === 0 && waiting === 0 ? `${runs.length} running` : countText(runs.length, 'run')}
          <span class="visually-hidden"> of {job.name}, listed below</span>
        </button>
      </div>
      <div class="cell-name">
        <Link to={jobPath(job.name)} class="row-link" cursor>
          {job.name}
        </Link>
        <span class="command-line">
          {[
            waiting > 0 ? `${waiting} waiting` : null,
            killing > 0 ? `${killing} stopping` : null,
            slow > 0 ? `${slow} slow` : null,
            away > 0 ? `${away} disconnected or lost` : null,
            runs[0]?.command_line,
          ]
            .filter((part) => part !== null)
            .join(' · ')}
        </span>
      </div>
      <div class="cell-machine">{countText(machines, 'machine')}</div>
      <div class="cell-time" />
      <div class="cell-ends">
        <EndsStrip ends={job.ends} />
      </div>
      <div class="cell-kill">
        <KillButton runs={runs} selection={selection} ask={ask} label={`Kill all running ${job.name}`} />
      </div>
    </article>
  );
}

/** A job on machines where it isn't running, with its last result there. */
export function IdleRow({ job, ends, count }: RowOfKind<'idle'>) {
  const [last] = ends;
  if (last === undefined) return null;
  return (
    <article class="row idle" data-job={job.name} data-state={last.state}>
      <Unpickable />
      <div class="cell-state">
        <StateBadge state={last.state} note={exitNote(last)} />
      </div>
      <div class="cell-name">
        <Link to={jobPath(job.name)} class="row-link" cursor>
          {job.name}
        </Link>
        <Link to={runPath({ id: last.run, job: job.name })} class="last-run">
          View last run<span class="visually-hidden"> of {job.name}</span>
        </Link>
      </div>
      <div class="cell-machine" title={machinesTitle(ends, count)}>
        {machinesText(last, count, machineCount(job.lastEnds))}
      </div>
      <div class="cell-time">
        <Ago at={last.ended_at} />
      </div>
      <div class="cell-ends">
        <EndsStrip ends={job.ends} />
      </div>
      <div class="cell-kill" />
    </article>
  );
}

/** @param all on how many machines it has ended, in whatever way */
export function machinesText(last: LastEnd, count: number, all: number): string {
  if (count === all) return count === 1 ? last.machine : countText(count, 'machine');
  return count === 1 ? `${last.machine} (1 of ${all})` : `${count} of ${all} machines`;
}

/** More don't fit into a tooltip. */
const NAMED_MACHINES = 20;

function machinesTitle(ends: readonly LastEnd[], count: number): string {
  const named = ends.slice(0, NAMED_MACHINES).map(({ machine }) => machine);
  const more = count - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function exitNote({ state, exit_code }: LastEnd): string | null {
  return state === 'succeeded' || exit_code === null ? null : `exit code ${exit_code}`;
}

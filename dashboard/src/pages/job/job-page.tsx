/** One job: what runs of it and where, how long it takes and how it ends, and how it is stopped. */
import './job.css';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Run, Session } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { isTemporary } from '../../api/failure.ts';
import { Announcer } from '../../components/announcer.tsx';
import { BrakeButton } from '../../components/brake-button.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { SelectionBar } from '../../components/selection-bar.tsx';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { useKeptCount } from '../../hooks/kept-count.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useKillDialog } from '../../hooks/use-kill-dialog.tsx';
import { Link, query } from '../../router.tsx';
import { mayKill } from '../../state/rights.ts';
import { useSelection } from '../../state/selection.ts';
import { BadEnds } from './bad-ends.tsx';
import { ExpectationsSection } from './expectations-section.tsx';
import { parseRunFilter } from './filter.ts';
import { followJob, type JobFollower } from './follow-job.ts';
import { firstSeen, type RunHistory } from './history.ts';
import { HistorySection } from './history-section.tsx';
import { JobHead } from './job-head.tsx';
import { OpenRunsSection } from './open-runs-section.tsx';
import { RecentKills } from './recent-kills.tsx';
import { useRunRows } from './run-rows.tsx';
import { useJobCursor } from './use-job-cursor.ts';
import { useOpenRuns } from './use-open-runs.ts';

interface JobPageProps {
  readonly name: string;
  readonly who: Session;
}

export function JobPage({ name, who }: JobPageProps) {
  const follower = useMemo(() => followJob(name), [name]);
  useEffect(() => () => follower.stop(), [follower]);
  const open = follower.open.value.size;
  usePageTitle(open === 0 ? `${name} – Leash` : `(${open}) ${name} – Leash`);
  const known = follower.known.value;
  return (
    <main class="page job" aria-busy={known === 'asking'}>
      <nav class="page-head" aria-label="Breadcrumb">
        <span class="trail">
          <Link to="/">Runs</Link>
          {` / ${name}`}
        </span>
        {known !== 'asking' && <LinkStatus status={follower.syncStatus.value} />}
      </nav>
      {known === 'yes' && <Loaded name={name} who={who} follower={follower} />}
      {known === 'asking' && follower.failure.value === null && (
        <p class="nothing" role="status">
          Loading job…
        </p>
      )}
      {known === 'no' && (
        <Notice tone="plain" title="Job not found" isPage>
          No runs of <strong>{name}</strong>. Check the spelling; if it runs, it will appear here.{' '}
          <Link to="/">Go to runs</Link>
        </Notice>
      )}
      <LinkBanner status={follower.syncStatus.value} />
      <Trouble follower={follower} />
    </main>
  );
}

function Trouble({ follower }: { readonly follower: JobFollower }) {
  const failure = follower.failure.value;
  if (failure === null) return null;
  return (
    <Notice tone="bad" title="Couldn’t load this job" isPage={follower.known.value === 'asking'}>
      {failure.detail} {isTemporary(failure) ? 'Retrying every few seconds.' : <Link to="/">Go to runs</Link>}
    </Notice>
  );
}

interface LoadedProps extends JobPageProps {
  readonly follower: JobFollower;
}

const NO_RUNS: readonly Run[] = [];

/** Rows are about so high. */
const OPEN_ROW_PX = 60;
const PAST_ROW_PX = 49;

function Loaded({ name, who, follower }: LoadedProps) {
  const asked = query.value;
  const filter = useMemo(() => parseRunFilter(asked), [asked]);
  const kept = useKeptCount();
  const { history } = follower;
  useEffect(() => history.setFilter(filter, kept.take()), [history, filter]);
  const runs = history.runs.value;
  kept.note(runs.length);
  const open = useOpenRuns(follower);
  const isAwaited = useFirstPage(history);
  const shown = isAwaited ? NO_RUNS : history.shown.value;
  const job = follower.job.value;
  const machines = useMemo(() => machinesOf([...runs, ...(job?.lastEnds.byMachine.values() ?? [])]), [runs, job]);
  const selection = useSelection(who, open.byRef);
  const [ask, killDialog] = useKillDialog(selection);
  const place = useRef<HTMLDivElement | null>(null);
  const filters = useRef<HTMLElement | null>(null);
  const openRows = useRunRows('now-', open.shown, OPEN_ROW_PX);
  const pastRows = useRunRows('past-', shown, PAST_ROW_PX, filters.current?.offsetHeight);
  useJobCursor({ within: place, openRows, pastRows, open, isComplete: !isAwaited, selection, ask });

  return (
    <div ref={place} tabIndex={-1} class="job-parts">
      <JobHead name={name} firstSeenAt={firstSeen(job?.firstSeenAt ?? null, runs)} job={job}>
        {open.all.length > 0 && mayKill(who, name) && (
          <button type="button" class="button danger" onClick={() => ask({ kind: 'job', job: name, runs: open.all })}>
            {open.all.length === 1 ? 'Kill…' : `Kill all ${open.all.length}…`}
          </button>
        )}
        {mayKill(who, name) && <BrakeButton jobs={[name]} />}
      </JobHead>
      {job !== null && <BadEnds job={job} open={open.all} />}
      <div class="job-now">
        <OpenRunsSection
          open={open}
          rows={openRows}
          job={job}
          isKnown={follower.syncStatus.value.kind === 'live' || follower.failure.value !== null}
          isCut={follower.areOpenTruncated.value}
          selection={selection}
          ask={ask}
        />
        <ExpectationsSection job={name} who={who} machines={machines} lastStarted={lastStarted(runs, open.all)} />
        <RecentKills job={name} isKnown={follower.syncStatus.value.kind === 'live'} />
      </div>
      <HistorySection
        history={history}
        filter={filter}
        filters={filters}
        isAwaited={isAwaited}
        machines={machines}
        rows={pastRows}
        selection={selection}
        ask={ask}
      />
      <SelectionBar selection={selection} shown={open.shown} ask={ask} />
      {killDialog}
      <Announcer text={latestChange(follower.changed.value)} />
    </div>
  );
}

/** Whether the first page of the history is still to come: what is known before would be pushed aside by it. */
function useFirstPage(history: RunHistory): boolean {
  const hasCome = useRef(false);
  const { readAt, failure } = history.listing.value;
  hasCome.current ||= readAt !== null || failure !== null;
  return !hasCome.current;
}

function machinesOf(runs: readonly Pick<Run, 'machine'>[]): string[] {
  return [...new Set(runs.map(({ machine }) => machine))].sort();
}

/** The run that started last, as far as it is known. */
function lastStarted(...lists: readonly (readonly Run[])[]): string | null {
  const runs = lists.flat();
  return (
    runs.reduce<Run | null>((last, run) => (run.started_at > (last?.started_at ?? '') ? run : last), null)?.id ?? null
  );
}

function latestChange(changed: readonly Run[]): string {
  const run = changed.findLast(({ state }) => !isLive(state)) ?? changed.at(-1);
  if (run === undefined) return '';
  const code = run.exit_code === null ? '' : `, exit code ${run.exit_code}`;
  return `${run.job} on ${run.machine}: ${STATE_LABELS[run.state]}${code}`;
}

/** One job: what runs of it and where, how long it takes and how it ends, and how it is stopped. */
import './job.css';
import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Run, Session } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { isTemporary } from '../../api/failure.ts';
import { usePickAndKill } from '../../keyboard/pick-and-kill.ts';
import { useRowCursor } from '../../keyboard/row-cursor.ts';
import { Announcer } from '../../parts/announcer.tsx';
import { CutNotice } from '../../parts/cut-notice.tsx';
import { KillDialog } from '../../parts/kill-dialog.tsx';
import { LinkBanner, LinkStatus } from '../../parts/link-status.tsx';
import { Notice } from '../../parts/notice.tsx';
import { usePageTitle } from '../../parts/page-title.ts';
import { STATE_WORDS } from '../../parts/run-state-words.ts';
import { SelectionBar } from '../../parts/selection-bar.tsx';
import { Link, query } from '../../router.tsx';
import type { KillScope } from '../../state/kill-orders.ts';
import { mayKill } from '../../state/rights.ts';
import { useSelection } from '../../state/selection.ts';
import { ChartPane } from './chart-pane.tsx';
import { parseRunFilter } from './filter.ts';
import { Filters } from './filters.tsx';
import { followJob, type JobFollower } from './follow-job.ts';
import { firstSeen, shownRuns } from './history.ts';
import { HistoryEnd } from './history-end.tsx';
import { JobHead, Resting } from './job-head.tsx';
import { Kills } from './kills.tsx';
import { OpenRow, PastRow } from './run-row.tsx';
import { keysOf, RunList, useRunRows } from './run-rows.tsx';

interface JobPageProps {
  readonly name: string;
  readonly who: Session;
}

export function JobPage({ name, who }: JobPageProps) {
  const follower = useMemo(() => followJob(name), [name]);
  useEffect(() => () => follower.stop(), [follower]);
  const open = follower.now.value.open.size;
  usePageTitle(open === 0 ? `${name} – Leash` : `(${open}) ${name} – Leash`);
  const known = follower.known.value;
  return (
    <main class="page job" aria-busy={known === 'asking'}>
      <nav class="page-head" aria-label="Where you are">
        <span class="trail">
          <Link to="/">Runs</Link>
          {` / ${name}`}
        </span>
        {known !== 'asking' && <LinkStatus freshness={follower.freshness.value} />}
      </nav>
      {known === 'yes' && <Loaded name={name} who={who} follower={follower} />}
      {known === 'asking' && follower.failure.value === null && (
        <p class="nothing" role="status">
          Loading the job…
        </p>
      )}
      {known === 'no' && (
        <Notice tone="plain" title="No such job" isPage>
          No run of <strong>{name}</strong> was ever seen. Check the name, or see <Link to="/">what runs</Link>. Should
          it run for the first time now, it shows here by itself.
        </Notice>
      )}
      <LinkBanner freshness={follower.freshness.value} />
      <Trouble follower={follower} />
    </main>
  );
}

function Trouble({ follower }: { readonly follower: JobFollower }) {
  const failure = follower.failure.value;
  if (failure === null) return null;
  return (
    <Notice tone="bad" title="This job cannot be loaded" isPage={follower.known.value === 'asking'}>
      {failure.detail}{' '}
      {isTemporary(failure) ? 'It is tried again every few seconds.' : <Link to="/">See what runs</Link>}
    </Notice>
  );
}

interface LoadedProps extends JobPageProps {
  readonly follower: JobFollower;
}

/** Rows are about so high. */
const OPEN_ROW_PX = 60;
const PAST_ROW_PX = 49;
/** More runs than this are folded at first: the history would be far below them. */
const FOLDED_FROM = 20;
const SHOWN_FOLDED = 10;

function Loaded({ name, who, follower }: LoadedProps) {
  const asked = query.value;
  const filter = useMemo(() => parseRunFilter(asked), [asked]);
  useEffect(() => follower.narrow(filter), [follower, filter]);
  const history = follower.history.value;
  const openRuns = useComputed(() => follower.now.value.open);
  const open = useMemo(() => inOrder([...openRuns.value.values()]), [openRuns.value]);
  const unfolded = useSignal(false);
  const isFolded = open.length > FOLDED_FROM && !unfolded.value;
  const openShown = useMemo(() => (isFolded ? open.slice(0, SHOWN_FOLDED) : open), [open, isFolded]);
  const shown = useMemo(() => shownRuns(history, filter), [history, filter]);
  const job = follower.now.value.jobs.get(name) ?? null;
  const machines = useMemo(
    () => machinesOf([...open, ...history.runs.values(), ...(job?.ends ?? [])]),
    [open, history.runs, job],
  );
  const asking = useSignal<KillScope | null>(null);
  const ask = (scope: KillScope) => {
    asking.value = scope;
  };
  const selection = useSelection(who, openRuns);
  const place = useRef<HTMLDivElement | null>(null);
  /** They stay in sight over the rows. */
  const filters = useRef<HTMLElement | null>(null);
  const openRows = useRunRows('now-', openShown, OPEN_ROW_PX);
  const pastRows = useRunRows('past-', shown, PAST_ROW_PX, filters.current?.offsetHeight);
  const cursor = useRowCursor({
    keys: [...keysOf(openRows), ...keysOf(pastRows)],
    within: place,
    reveal: (key) => {
      const rows = key.startsWith(openRows.prefix) ? openRows : pastRows;
      rows.virtual.reveal(keysOf(rows).indexOf(key));
    },
  });
  const runsHere = () => {
    const id = cursor.marked()?.replace(/^(now|past)-/, '');
    const run = id === undefined ? undefined : openRuns.value.get(id);
    return run === undefined ? [] : [run];
  };
  usePickAndKill({ selection, runsHere, picks: 'the run', ask });

  return (
    <div ref={place} tabIndex={-1} class="job-parts">
      <JobHead
        name={name}
        firstSeenAt={firstSeen(follower.firstSeenAt.value, [...open, ...history.runs.values()])}
        job={job}
      >
        {open.length > 0 && mayKill(who, name) && (
          <button type="button" class="button danger" onClick={() => ask({ kind: 'job', job: name, runs: open })}>
            {open.length === 1 ? 'Kill…' : `Kill all ${open.length}…`}
          </button>
        )}
      </JobHead>
      <div class="job-now">
        <section class="job-open" aria-labelledby="job-open">
          <h2 id="job-open">
            Now <span class="count">{open.length}</span>
          </h2>
          {follower.areOpenCut.value && (
            <CutNotice one="run" which="the newest">
              Those that are not listed run as well, and “Kill all” ends them, too.
            </CutNotice>
          )}
          {open.length === 0 ? (
            <Resting job={job} />
          ) : (
            <RunList
              rows={openRows}
              label="What runs now"
              row={(run) => <OpenRow run={run} selection={selection} ask={ask} />}
            />
          )}
          {open.length > FOLDED_FROM && (
            <button
              type="button"
              class="button quiet job-unfold"
              aria-expanded={!isFolded}
              onClick={() => {
                unfolded.value = isFolded;
              }}
            >
              {isFolded ? `Show all ${open.length}` : `Show only the first ${SHOWN_FOLDED}`}
            </button>
          )}
        </section>
        <Kills job={name} />
      </div>
      <section class="job-history" aria-labelledby="job-history">
        <h2 id="job-history">History</h2>
        <Filters place={filters} filter={filter} machines={machines} />
        {shown.length > 0 && <ChartPane runs={shown} />}
        <RunList
          rows={pastRows}
          label="History, newest first"
          row={(run) => <PastRow run={run} selection={selection} ask={ask} />}
        />
        <HistoryEnd follower={follower} filter={filter} shown={shown.length} />
      </section>
      <SelectionBar selection={selection} shown={openShown} ask={ask} />
      {asking.value !== null && (
        <KillDialog
          scope={asking.value}
          close={(ordered) => {
            if (ordered) selection.clear();
            asking.value = null;
          }}
        />
      )}
      <Announcer text={latestChange(follower.changed.value)} />
    </div>
  );
}

function machinesOf(runs: readonly Pick<Run, 'machine'>[]): string[] {
  return [...new Set(runs.map(({ machine }) => machine))].sort();
}

/** What nobody hears of comes first, then what runs, by machine. */
function inOrder(runs: Run[]): Run[] {
  return runs.sort((a, b) => {
    if (a.connected !== b.connected) return a.connected ? 1 : -1;
    if (a.machine !== b.machine) return a.machine < b.machine ? -1 : 1;
    return a.id < b.id ? -1 : 1;
  });
}

function latestChange(changed: readonly Run[]): string {
  const run = changed.findLast(({ state }) => !isLive(state)) ?? changed.at(-1);
  if (run === undefined) return '';
  const code = run.exit_code === null ? '' : `, exit code ${run.exit_code}`;
  return `${run.job} on ${run.machine}: ${STATE_WORDS[run.state]}${code}`;
}

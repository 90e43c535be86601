import './run.css';
import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { isTemporary } from '../../api/failure.ts';
import { Announcer } from '../../components/announcer.tsx';
import { LinkBanner } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Link, runPath } from '../../router.tsx';
import { followRun, type RunFollower } from '../../state/follow-run.ts';
import { killProgress } from '../../state/kill-progress.ts';
import { kills } from '../../state/kills.ts';
import { EventTimeline } from './event-timeline.tsx';
import { FailureSummary } from './failure-summary.tsx';
import { KillPanel, killOffer } from './kill-panel.tsx';
import { OutputPane } from './output-pane.tsx';
import { RunDetails } from './run-details.tsx';
import { RunHeader } from './run-header.tsx';

interface RunPageProps {
  readonly id: string;
  /** Null where the address does not say. */
  readonly job: string | null;
}

export function RunPage({ id, job }: RunPageProps) {
  const follower = useMemo(() => followRun(id, job), [id, job]);
  useEffect(() => () => follower.stop(), [follower]);
  const run = follower.run.value;
  usePageTitle(run === null ? 'Leash' : `${run.job}: ${STATE_LABELS[run.state]} – Leash`);

  return (
    <main class="page run" aria-busy={run === null}>
      <Trouble id={id} follower={follower} />
      {run !== null && <Loaded run={run} follower={follower} />}
      <LinkBanner status={follower.syncStatus.value} />
    </main>
  );
}

/**
 * The window holds all of it: the header with the kill stays, the output takes what is left of the height, and what is
 * less urgent is beside or below it.
 */
function Loaded({ run, follower }: { readonly run: Run; readonly follower: RunFollower }) {
  const events = follower.events.value;
  const progress = follower.areEventsKnown.value ? killProgress(run, events, [...kills.value.values()]) : null;
  const asking = useSignal(false);
  useShortcuts([
    {
      key: 'K',
      does: 'Kill this run',
      run: () => {
        if (killOffer(run, progress) === 'kill') asking.value = true;
      },
    },
  ]);
  return (
    <>
      <RunHeader run={run} syncStatus={follower.syncStatus.value} />
      <KillPanel
        run={run}
        progress={progress}
        isLoading={isKillLoading(run, follower)}
        isAsking={asking.value}
        ask={(open) => {
          asking.value = open;
        }}
      />
      <div class="run-body">
        <div class="run-first">
          <FailureSummary run={run} />
          <OutputPane follower={follower} run={run} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard */}
        <aside class="run-side" aria-label="Details and events" tabIndex={0}>
          <RunDetails run={run} syncStatus={follower.syncStatus.value.kind} live={follower.usage.value} />
          <EventTimeline events={events} isCut={follower.areEventsTruncated.value} progress={progress} />
        </aside>
      </div>
      <Announcer text={spoken(run)} />
    </>
  );
}

/** States with a kill: its progress has its place before it is loaded. */
const WITH_PROGRESS: ReadonlySet<Run['state']> = new Set(['killing', 'killed', 'timed_out']);

/** A kill of which the steps are about to be known. Without them it is shown as a run is. */
function isKillLoading(run: Run, { areEventsKnown, failure, syncStatus }: RunFollower): boolean {
  const isComing = failure.value === null && syncStatus.value.kind !== 'stale';
  return WITH_PROGRESS.has(run.state) && !areEventsKnown.value && isComing;
}

function Trouble({ id, follower }: { readonly id: string; readonly follower: RunFollower }) {
  const failure = follower.failure.value;
  if (failure === null) return null;
  if (failure.kind === 'problem' && failure.jobs !== undefined) return <WhichJob id={id} jobs={failure.jobs} />;
  if (failure.kind === 'problem' && failure.status === 404) {
    return (
      <Notice tone="plain" title="Run not found" isPage>
        {failure.detail} It may have been deleted (runs are kept for a limited time). <Link to="/">Go to runs</Link>
      </Notice>
    );
  }
  return (
    <Notice tone="bad" title="Couldn’t load this run">
      {failure.detail} {isTemporary(failure) ? 'Retrying every few seconds.' : <Link to="/">Go to runs</Link>}
    </Notice>
  );
}

/** The address is of a time when a run's id was enough, or was put together by hand. */
function WhichJob({ id, jobs }: { readonly id: string; readonly jobs: readonly string[] }) {
  return (
    <Notice tone="bad" title="Several jobs have a run with this id" isPage>
      Ids don’t repeat by accident: someone may want you to mistake one run for another. Open the run of{' '}
      {jobs.map((job, index) => (
        <Fragment key={job}>
          {index > 0 && (index === jobs.length - 1 ? ' or of ' : ', of ')}
          <Link to={runPath({ id, job })}>{job}</Link>
        </Fragment>
      ))}
      .
    </Notice>
  );
}

function spoken(run: Run): string {
  const code = run.exit_code === null ? '' : `, exit code ${run.exit_code}`;
  return `${run.job} on ${run.machine} is now ${STATE_LABELS[run.state]}${code}`;
}

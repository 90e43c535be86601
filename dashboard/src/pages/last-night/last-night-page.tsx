/** What happened while nobody looked: what needs a look first, then what is over, then what was decided. */
import './last-night.css';
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Report, ReportedJob } from '#protocol/report';
import { Announcer } from '../../components/announcer.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { Clock } from '../../components/time.tsx';
import { countText } from '../../format/quantity.ts';
import { useKeptSet } from '../../hooks/kept-set.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useRowCursor } from '../../keyboard/row-cursor.ts';
import { query, setFilter } from '../../router.tsx';
import { serverNow } from '../../state/clock.ts';
import { syncStatus, useFleet } from '../../state/fleet.ts';
import { useReload } from '../../state/use-reload.ts';
import { checkedText, SECTION_NAMES, SECTIONS, type Section, sectionOf, summaryText } from './finding-labels.ts';
import { ReportFollower } from './follow-report.ts';
import { JobCard } from './job-card.tsx';
import { type Beginning, beginVisit, DAY_MS, HOUR_MS, lastVisit, rememberVisit } from './last-visit.ts';

const PERIODS = [
  { name: 'visit', label: 'Since last visit', ms: null },
  { name: '12h', label: '12 h', ms: 12 * HOUR_MS },
  { name: '24h', label: '24 h', ms: DAY_MS },
  { name: '7d', label: '7 days', ms: 7 * DAY_MS },
] as const;
type Period = (typeof PERIODS)[number];

export function LastNightPage() {
  useFleet();
  usePageTitle('Last night – Leash');
  const asked = query.value.get('since');
  const period = PERIODS.find(({ name }) => name === asked) ?? PERIODS[0];
  const visit = useVisit();
  const since = useMemo(() => (period.ms === null ? visit.since : serverNow() - period.ms), [period, visit]);
  return (
    <main class="page last-night">
      <div class="page-head">
        <h1>Last night</h1>
        <LinkStatus status={syncStatus.value} />
      </div>
      <Shown key={`${period.name} ${since}`} period={period} since={since} visit={visit} />
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

/** This visit. A page that comes into view again when it is over begins a new one. */
function useVisit(): Beginning {
  const visit = useSignal(useMemo(() => beginVisit(lastVisit(), serverNow()), []));
  useEffect(() => {
    const again = () => {
      if (document.visibilityState !== 'visible') return;
      const next = beginVisit(lastVisit(), serverNow());
      if (next.beganAt !== visit.peek().beganAt) visit.value = next;
    };
    document.addEventListener('visibilitychange', again);
    return () => document.removeEventListener('visibilitychange', again);
  }, []);
  return visit.value;
}

interface ShownProps {
  readonly period: Period;
  readonly since: number;
  readonly visit: Beginning;
}

function Shown({ period, since, visit }: ShownProps) {
  const follower = useMemo(() => new ReportFollower(since), []);
  useEffect(() => follower.start(), []);
  useReload(follower.load);
  const report = follower.report.value;
  const failure = follower.failure.value;
  useEffect(() => {
    // Whatever period is shown, the reader has seen what happened up to its end.
    if (report !== null) rememberVisit({ beganAt: visit.beganAt, since: visit.since, seen: Date.parse(report.until) });
  }, [report]);
  return (
    <>
      <search class="filters">
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
        <div class="chips" role="group" aria-label="Period">
          {PERIODS.map((each) => (
            <button
              key={each.name}
              type="button"
              class="chip"
              aria-pressed={each === period}
              onClick={() => setFilter({ since: each === PERIODS[0] ? null : each.name })}
            >
              {each.label}
            </button>
          ))}
        </div>
        <AsOf follower={follower} />
      </search>
      {failure !== null && (
        <Notice
          tone="bad"
          title="Couldn’t load the report"
          action={{ label: 'Try again', run: () => void follower.refresh() }}
        >
          {failure.detail}
        </Notice>
      )}
      {report === null && failure === null && (
        <p class="nothing" role="status">
          Loading the report…
        </p>
      )}
      {report !== null && <Findings report={report} why={period.ms === null ? visit.from : null} />}
      <Announcer text={newerText(follower.newer.value)} />
    </>
  );
}

function newerText(newer: number): string {
  return newer === 0 ? '' : countText(newer, 'new problem');
}

/** The report doesn't change while it is read; what is new is offered. */
function AsOf({ follower }: { readonly follower: ReportFollower }) {
  const report = follower.report.value;
  const newer = follower.newer.value;
  return (
    <div class="as-of">
      <p>
        {report !== null && (
          <>
            As of <Clock at={report.until} />
          </>
        )}
      </p>
      <button
        type="button"
        class={newer > 0 ? 'button primary' : 'button quiet'}
        aria-disabled={follower.isBusy.value}
        onClick={() => void follower.refresh()}
      >
        {newer > 0 ? `Show ${newer} new` : 'Refresh'}
      </button>
    </div>
  );
}

interface FindingsProps {
  readonly report: Report;
  /** Null: the reader has chosen the period. */
  readonly why: Beginning['from'] | null;
}

function Findings({ report, why }: FindingsProps) {
  const place = useRef<HTMLDivElement | null>(null);
  const opened = useKeptSet('output');
  const sections = Map.groupBy(report.jobs, ({ findings }) => sectionOf(findings));
  const listed = SECTIONS.flatMap((section) => sections.get(section) ?? []);
  const keys = listed.map(({ job }) => job);
  const reveal = (key: string) =>
    place.current?.querySelector(`[data-row-key="${CSS.escape(key)}"]`)?.scrollIntoView({ block: 'nearest' });
  useRowCursor({ keys, within: place, reveal });
  const toggle = (key: string) => {
    const next = new Set(opened.peek());
    if (!next.delete(key)) next.add(key);
    opened.value = next;
  };
  const counts = countsOf(sections);
  return (
    <div ref={place} tabIndex={-1}>
      <div class={listed.length === 0 ? 'night-summary all-quiet' : 'night-summary'} role="status">
        <p>
          <strong>{summaryText(counts)}</strong> <span class="aside">{checkedText(report)}</span>
        </p>
        <p class="aside">
          <Since report={report} why={why} />
          {listed.length === 0 &&
            ' No run failed, timed out, was lost, killed, skipped or unusually slow, nothing was late, and nothing was left running.'}
        </p>
        <Limits report={report} />
      </div>
      {SECTIONS.map((section) => (
        <SectionOfJobs
          key={section}
          section={section}
          jobs={sections.get(section) ?? []}
          until={report.until}
          opened={opened.value}
          toggle={toggle}
        />
      ))}
    </div>
  );
}

function countsOf(sections: ReadonlyMap<Section, readonly ReportedJob[]>): Record<Section, number> {
  const count = (section: Section) => sections.get(section)?.length ?? 0;
  return { open: count('open'), over: count('over'), decided: count('decided') };
}

function Since({ report, why }: FindingsProps) {
  const since = <Clock at={report.since} />;
  switch (why) {
    case 'last visit':
      return <>Since your last visit, {since}.</>;
    case 'first visit':
      return <>Your first visit in this browser: the last 12 hours, since {since}.</>;
    case 'too long ago':
      return <>Your last visit was more than 7 days ago. Since {since}.</>;
    case null:
      return <>Since {since}.</>;
  }
}

function Limits({ report: { since, checked, is_truncated } }: { readonly report: Report }) {
  return (
    <>
      {checked.since !== since && (
        <p class="aside">
          Many runs: those that started before <Clock at={checked.since} /> aren’t counted, and of these only runs of 4
          minutes and longer were compared with earlier ones.
        </p>
      )}
      {is_truncated && (
        <p class="problem">There was more than this page can list: choose a shorter period to see all of it.</p>
      )}
    </>
  );
}

interface SectionProps {
  readonly section: Section;
  readonly jobs: readonly ReportedJob[];
  readonly until: string;
  readonly opened: ReadonlySet<string>;
  toggle(key: string): void;
}

function SectionOfJobs({ section, jobs, until, opened, toggle }: SectionProps) {
  if (jobs.length === 0) return null;
  return (
    <section class="night-section" aria-labelledby={`night-${section}`}>
      <h2 id={`night-${section}`}>
        {SECTION_NAMES[section]} <span class="count">{jobs.length}</span>
      </h2>
      <ul class="night-jobs">
        {jobs.map((job) => (
          <li key={job.job} data-row-key={job.job}>
            <JobCard reported={job} until={until} opened={opened} toggle={toggle} />
          </li>
        ))}
      </ul>
    </section>
  );
}

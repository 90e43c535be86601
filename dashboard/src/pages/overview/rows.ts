/**
 * The rows of the overview: needs attention, running, idle. Sorted by name, so that a row stays in its place. Pure.
 */
import type { LastEnd, Run } from '#protocol/api';
import { isBadEnd, isLive } from '#protocol/run-state';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import type { Fleet } from '../../state/fleet.ts';
import { NO_LAST_ENDS } from '../../state/last-ends.ts';
import { refOf } from '../../state/run-ref.ts';
import type { JobSummary } from '../../state/store.ts';
import { type Filter, findable, matches, tagsText } from '../../state/text-filter.ts';

export const SECTIONS = ['attention', 'running', 'idle'] as const;
export type Section = (typeof SECTIONS)[number];

export const SECTION_NAMES: Readonly<Record<Section, string>> = {
  attention: 'Needs attention',
  running: 'Running',
  idle: 'Idle',
};

export type Row =
  | { readonly kind: 'section'; readonly section: Section; readonly count: number }
  /** Several runs of one job, which follow it unless it is folded. */
  | { readonly kind: 'job'; readonly job: JobSummary; readonly runs: readonly Run[]; readonly isOpen: boolean }
  /** @property job for the only run of its job in this section */
  | { readonly kind: 'run'; readonly run: Run; readonly job: JobSummary | null }
  | IdleRow;

/** A job on machines where nothing of it runs. */
export interface IdleRow {
  readonly kind: 'idle';
  readonly section: Section;
  readonly job: JobSummary;
  /** The last ones, one a machine, the newest first. */
  readonly ends: readonly LastEnd[];
  /** On how many machines it has ended so: more than there are ends when those of others are only counted. */
  readonly count: number;
}

export interface Overview {
  readonly rows: readonly Row[];
  /** How many there are in each section, whichever is shown. */
  readonly counts: Readonly<Record<Section, number>>;
}

export interface OverviewOptions {
  readonly filter: Filter;
  /** One section alone; null for all. */
  readonly only: Section | null;
  /** Jobs that the reader has folded or unfolded, against what would be shown otherwise. */
  readonly toggled: ReadonlySet<string>;
}

/** More runs of one job than this are folded at first: they would hide the other jobs. */
const FOLDED_FROM = 20;

export function overviewOf(fleet: Fleet, { filter, only, toggled }: OverviewOptions): Overview {
  const running: Run[] = [];
  const suspicious: Run[] = [];
  for (const run of fleet.open.values()) {
    if (!matches(filter, findable(run))) continue;
    (needsAttention(run) ? suspicious : running).push(run);
  }
  const failed: IdleRow[] = [];
  const idle: IdleRow[] = [];
  const busy = busyMachines(fleet);
  for (const job of fleet.jobs.values()) {
    const ends = lastEnds(job, busy.get(job.name)).filter((end) =>
      matches(filter, { job: job.name, tag: tagsText(job.about), ...shownOf(end) }),
    );
    const bad = ends.filter(({ state }) => isBadEnd(state));
    // Of those that are only counted it is not known whether they match.
    const unlisted = filter.length === 0 ? job.lastEnds.unlisted : NO_LAST_ENDS.unlisted;
    if (bad.length > 0) {
      failed.push({ kind: 'idle', section: 'attention', job, ends: bad, count: bad.length + unlisted.bad });
    } else if (ends.length > 0 && !busy.has(job.name)) {
      idle.push({ kind: 'idle', section: 'idle', job, ends, count: ends.length + unlisted.good });
    }
  }
  const counts = {
    attention: suspicious.length + failed.length,
    running: running.length,
    idle: idle.length,
  };
  const rowsOf: Record<Section, () => Row[]> = {
    attention: () => [...jobsOf(suspicious, fleet, toggled), ...failed.sort(latestEndFirst)],
    running: () => jobsOf(running, fleet, toggled),
    idle: () => idle.sort((a, b) => compare(a.job.name, b.job.name)),
  };
  const rows = SECTIONS.flatMap((section): Row[] =>
    counts[section] === 0 || (only !== null && only !== section)
      ? []
      : [{ kind: 'section', section, count: counts[section] }, ...rowsOf[section]()],
  );
  return { rows, counts };
}

/** What a row is known by while others come and go. */
export function keyOf(row: Row): string {
  switch (row.kind) {
    case 'section':
      return row.section;
    case 'job':
      return `job ${row.job.name} ${row.runs[0] !== undefined && needsAttention(row.runs[0])}`;
    case 'run':
      return refOf(row.run);
    case 'idle':
      return `${row.section} ${row.job.name}`;
  }
}

/** The runs of a row, which can be selected with it. */
export function runsOf(row: Row): readonly Run[] {
  switch (row.kind) {
    case 'section':
    case 'idle':
      return [];
    case 'job':
      return row.runs;
    case 'run':
      return [row.run];
  }
}

/** The run's state is uncertain. */
function needsAttention(run: Run): boolean {
  return !isLive(run.state) || !run.connected;
}

function shownOf({ machine, state }: LastEnd) {
  return { machine, state: STATE_LABELS[state] };
}

/** On which machines something of each job is open. */
function busyMachines(fleet: Fleet): ReadonlyMap<string, ReadonlySet<string>> {
  const busy = new Map<string, Set<string>>();
  for (const { job, machine } of fleet.open.values()) {
    const machines = busy.get(job);
    if (machines === undefined) busy.set(job, new Set([machine]));
    else machines.add(machine);
  }
  return busy;
}

/** The last end on each machine where nothing of the job is open, newest first. */
function lastEnds({ lastEnds }: JobSummary, busy: ReadonlySet<string> | undefined): LastEnd[] {
  return [...lastEnds.byMachine.values()]
    .filter(({ machine }) => busy?.has(machine) !== true)
    .sort((a, b) => compare(b.ended_at, a.ended_at) || compare(a.machine, b.machine));
}

function jobsOf(runs: readonly Run[], fleet: Fleet, toggled: ReadonlySet<string>): Row[] {
  const byJob = [...Map.groupBy(runs, ({ job }) => job)].sort(([a], [b]) => compare(a, b));
  return byJob.flatMap(([name, ofJob]): Row[] => {
    const job = fleet.jobs.get(name) ?? { name, firstSeenAt: null, ends: [], lastEnds: NO_LAST_ENDS, about: null };
    const [only] = ofJob;
    if (only !== undefined && ofJob.length === 1) return [{ kind: 'run', run: only, job }];
    const isOpen = toggled.has(name) !== ofJob.length < FOLDED_FROM;
    const sorted = ofJob.sort((a, b) => compare(a.machine, b.machine) || compare(a.id, b.id));
    const head: Row = { kind: 'job', job, runs: sorted, isOpen };
    return isOpen ? [head, ...sorted.map((run): Row => ({ kind: 'run', run, job: null }))] : [head];
  });
}

function latestEndFirst(a: IdleRow, b: IdleRow): number {
  return compare(b.ends[0]?.ended_at ?? '', a.ends[0]?.ended_at ?? '') || compare(a.job.name, b.job.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A report: what happened in a period that someone should look at. */
import type { Run } from '#protocol/api';
import { type Finding, NAMED_MACHINES, type Report } from '#protocol/report';
import {
  aboutsOf,
  type EarlierRun,
  earlierRuns,
  type JobOnMachine,
  type LastEndRow,
  lastEndsOf,
  type ReportScope,
  readAbouts,
  readReport,
  runsNamed,
} from '../../shared/d1/report.ts';
import { type RunName, readRun } from '../../shared/d1/runs.ts';
import { draftJobs, type FindingDraft, firstAt, type Item, itemsOf, type JobDraft, lastAt } from './findings.ts';
import { placeOf } from './place.ts';
import { historyRequests, slowRuns } from './usual.ts';

/** More than anyone reads; the worst come first. */
const MOST_JOBS = 200;

export async function buildReport(db: D1Database, scope: ReportScope): Promise<Report> {
  const { since, until } = scope;
  const data = await readReport(db, scope);
  const histories = await readHistories(db, historyRequests(data.long, until));
  const { slow, compared } = slowRuns(data.long, histories, until);
  const items = itemsOf(data, slow, until);
  const all = draftJobs(items, await readLastEnds(db, items));
  const jobs = all.slice(0, MOST_JOBS);
  const { abouts, runs } = await readDetails(db, jobs);
  return {
    since: timestamp(since),
    until: timestamp(until),
    jobs: jobs.map(({ job, findings: drafts }) => {
      const findings = drafts.map((draft) => findingOf(draft, runs));
      return { job, about: abouts.get(job) ?? findings[0]?.run?.about ?? null, findings };
    }),
    checked: {
      since: timestamp(data.scanned.from ?? since),
      runs: data.scanned.runs,
      jobs: data.scanned.jobs,
      machines: data.scanned.machines,
      compared,
    },
    is_truncated: data.isTruncated || all.length > jobs.length,
  };
}

async function readHistories(
  db: D1Database,
  requests: Parameters<typeof earlierRuns>[1][],
): Promise<readonly EarlierRun[]> {
  if (requests.length === 0) return [];
  const answers = await db.batch<EarlierRun>(requests.map((request) => earlierRuns(db, request)));
  return answers.flatMap(({ results }) => results);
}

async function readLastEnds(db: D1Database, items: readonly Item[]): Promise<readonly LastEndRow[]> {
  const open = items.filter(({ isOver }) => isOver === null);
  if (open.length === 0) return [];
  const places = new Map<string, JobOnMachine>(open.map((item) => [placeOf(item), item]));
  return (await lastEndsOf(db, [...places.values()]).all<LastEndRow>()).results;
}

/** What the jobs are, and the most telling run of each finding. */
async function readDetails(db: D1Database, jobs: readonly JobDraft[]) {
  if (jobs.length === 0) return { abouts: new Map<string, never>(), runs: new Map<string, Run>() };
  const names: RunName[] = jobs.flatMap(({ job, findings }) =>
    findings.flatMap(({ items: [first] }) => (first?.run == null ? [] : [{ job, id: first.run }])),
  );
  const [abouts, runs] = await db.batch([
    aboutsOf(
      db,
      jobs.map(({ job }) => job),
    ),
    runsNamed(db, names),
  ]);
  const found = ((runs?.results ?? []) as { resource: string }[]).map(({ resource }) => readRun(resource));
  return {
    abouts: readAbouts(abouts?.results ?? []),
    runs: new Map(found.map((run) => [`${run.job}/${run.id}`, run])),
  };
}

function findingOf(draft: FindingDraft, runs: ReadonlyMap<string, Run>): Finding {
  const { kind, items, isOver } = draft;
  const [first] = items;
  const machines = [...new Set(items.map(({ machine }) => machine).filter((machine) => machine !== ''))];
  return {
    kind,
    count: items.length,
    machines: machines.slice(0, NAMED_MACHINES),
    machine_count: machines.length,
    first_at: timestamp(firstAt(draft)),
    last_at: timestamp(lastAt(draft)),
    is_over: isOver,
    run: first === undefined ? null : (runs.get(`${first.job}/${first.run}`) ?? null),
    usual_ms: first?.usualMs ?? null,
    expectation: first?.expectation ?? null,
    overdue: first?.overdue ?? null,
    kill: first?.kill ?? null,
  };
}

function timestamp(at: number): string {
  return new Date(at).toISOString();
}

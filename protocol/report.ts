/** What happened to the jobs in a period that someone should look at, such as a night. */
import * as v from 'valibot';
import { Count, Run } from './api.ts';
import { Expectation, OverdueRun } from './expectations.ts';
import { JobName, KillId, MachineName } from './names.ts';
import { ReportedAbout } from './reported-about.ts';
import { Time } from './time.ts';

/**
 * What can be found, the worst first.
 *
 * - `failed`, `errored`, `timed_out`, `lost`: how runs ended
 * - `survivors`: a kill could not end all processes
 * - `missed`, `late`: a run that was due has not started, or came late
 * - `slow`: a run takes, or took, twice as long as usual, or longer than expected
 * - `leftovers`: a run has ended, and processes of it are still running
 * - `skipped`: a run was told not to start
 * - `killed`: an operator ended it
 */
export const FINDING_KINDS = [
  'failed',
  'errored',
  'timed_out',
  'lost',
  'survivors',
  'missed',
  'late',
  'slow',
  'leftovers',
  'skipped',
  'killed',
] as const;
export const FindingKind = v.picklist(FINDING_KINDS);
export type FindingKind = v.InferOutput<typeof FindingKind>;

/** How many machines a finding names. */
export const NAMED_MACHINES = 20;

export const Finding = v.object({
  kind: FindingKind,
  count: Count,
  machines: v.array(MachineName),
  machine_count: Count,
  first_at: Time,
  last_at: Time,
  is_over: v.boolean(),
  run: v.nullable(Run),
  usual_ms: v.nullable(v.number()),
  expectation: v.nullable(Expectation),
  overdue: v.nullable(OverdueRun),
  kill: v.nullable(v.object({ id: KillId, requested_by: v.string(), reason: v.nullable(v.string()) })),
});
export type Finding = v.InferOutput<typeof Finding>;

export const ReportedJob = v.object({
  job: JobName,
  about: v.nullable(ReportedAbout),
  findings: v.array(Finding),
});
export type ReportedJob = v.InferOutput<typeof ReportedJob>;

/** What the report is read from, so that "nothing" can be believed. */
export const Checked = v.object({
  since: Time,
  runs: Count,
  jobs: Count,
  machines: Count,
  compared: Count,
});
export type Checked = v.InferOutput<typeof Checked>;

export const Report = v.object({
  since: Time,
  until: Time,
  jobs: v.array(ReportedJob),
  checked: Checked,
  is_truncated: v.boolean(),
});
export type Report = v.InferOutput<typeof Report>;

export const ReportBody = v.object({ report: Report });

/** The longest period of a report. */
export const MAX_REPORT_DAYS = 31;

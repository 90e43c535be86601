/** What a report has found, as rows of a table. */
import type { Finding, ReportedJob } from '#protocol/report';
import { arrivalText, detailText, KIND_LABELS } from '#shared/finding-text';
import { shortId } from './find-run.ts';
import { clockTime, relativeTime } from './relative-time.ts';
import type { Column } from './table.ts';
import type { Style, Terminal } from './terminal.ts';

export interface FindingRow {
  readonly job: string;
  readonly finding: Finding;
}

export function findingRows(jobs: readonly ReportedJob[]): FindingRow[] {
  return jobs.flatMap(({ job, findings }) => findings.map((finding) => ({ job, finding })));
}

export function findingColumns(nowMs: number, { columns }: Terminal): readonly Column<FindingRow>[] {
  const runText = (id: string) => (columns === null ? id : shortId(id));
  return [
    { header: 'FOUND', text: ({ finding }) => foundText(finding), style: ({ finding }) => styleOf(finding) },
    { header: 'JOB', text: ({ job }) => job, style: () => 'bold', leastWidth: 12 },
    { header: 'MACHINE', text: ({ finding }) => machineText(finding), leastWidth: 10 },
    { header: 'WHEN', text: ({ finding }) => whenText(finding, nowMs) },
    { header: 'RUN', text: ({ finding: { run } }) => (run === null ? '' : runText(run.id)), style: () => 'dim' },
    { header: 'DETAIL', text: ({ finding }) => findingDetail(finding, nowMs), leastWidth: 12, leaveOut: 1 },
  ];
}

/** `failed × 3`, `late (over)`. */
function foundText({ kind, count, is_over }: Finding): string {
  const times = count > 1 ? ` × ${count}` : '';
  return `${KIND_LABELS[kind]}${times}${is_over && !isDecided(kind) ? ' (over)' : ''}`;
}

function styleOf({ kind, is_over }: Finding): Style | null {
  if (isDecided(kind)) return null;
  return is_over ? 'dim' : 'red';
}

/** Someone has decided that. */
function isDecided(kind: Finding['kind']): boolean {
  return kind === 'killed' || kind === 'skipped';
}

function machineText({ machines: [first = ''], machine_count }: Finding): string {
  return machine_count > 1 ? `${first} and ${machine_count - 1} more` : first;
}

function whenText({ kind, is_over, last_at }: Finding, nowMs: number): string {
  return kind === 'slow' && !is_over ? 'now' : relativeTime(last_at, nowMs);
}

export function findingDetail(finding: Finding, nowMs: number): string {
  const { expectation, overdue, run } = finding;
  if (overdue !== null) {
    const { due_at, ended_at, started_at } = overdue;
    const skipped = run?.state === 'skipped' ? ', and was skipped' : '';
    const at = clockTime(started_at ?? ended_at, nowMs);
    return `was due ${clockTime(due_at, nowMs)}; ${arrivalText(overdue)} ${at}${skipped}`;
  }
  if (expectation === null) return detailText(finding, nowMs);
  const { due_at, last_started_at } = expectation;
  const due = due_at === null ? '' : `was due ${clockTime(due_at, nowMs)}; `;
  return `${due}${last_started_at === null ? 'never started' : `last started ${relativeTime(last_started_at, nowMs)}`}`;
}

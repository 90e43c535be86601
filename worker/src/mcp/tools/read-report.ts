import * as v from 'valibot';
import { showInvisible } from '#protocol/invisible-characters';
import { type Finding, ReportBody } from '#protocol/report';
import { InputTime } from '#protocol/time';
import { arrivalText, detailText, KIND_LABELS } from '#shared/finding-text';
import { tool } from '../tool.ts';

export const readReport = tool({
  name: 'read_report',
  title: 'Read the report',
  description:
    'Reports what needs a look in a period, such as last night: by job what failed, was lost, late, missed, slow, skipped, killed or left running; what is not over first, the worst first.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object({
    since: v.optional(
      v.pipe(InputTime, v.description('The beginning of the period, at most 31 days ago; by default 12 hours ago.')),
    ),
  }),
  call: async (api, { since }) => {
    const { report } = await api.get('/report', { since }, ReportBody);
    const { jobs, checked, is_truncated, until } = report;
    return [
      ...jobs.flatMap(({ job, findings }) => findings.map((each) => `job=${job} ${findingText(each, until)}`)),
      ...(jobs.length === 0 ? ['Nothing to look at.'] : []),
      `Runs that started since ${checked.since}: ${checked.runs}, of ${checked.jobs} jobs, on ${checked.machines} machines.`,
      ...(is_truncated ? ['There was more than a report can list: ask for a shorter period.'] : []),
    ].join('\n');
  },
});

function findingText(finding: Finding, until: string): string {
  const { kind, count, machines, machine_count, last_at, is_over, run, expectation, overdue } = finding;
  const more = machine_count > machines.length ? ` and ${machine_count - machines.length} more` : '';
  return [
    `${KIND_LABELS[kind]}${count > 1 ? ` (${count} times)` : ''}${is_over ? ', over' : ''}: last_at=${last_at}`,
    ...(machines.length === 0 ? [] : [`machines=${machines.join(',')}${more}`]),
    ...(run === null ? [] : [`run=${run.id}`]),
    ...(overdue === null
      ? []
      : [`due_at=${overdue.due_at}; ${arrivalText(overdue)} ${overdue.started_at ?? overdue.ended_at}`]),
    ...(expectation === null ? [] : [`due_at=${expectation.due_at} last_started_at=${expectation.last_started_at}`]),
    showInvisible(detailText(finding, Date.parse(until))),
  ]
    .join(' ')
    .trimEnd();
}

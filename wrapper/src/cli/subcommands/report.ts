/** `leash report`. */
import { Report } from '#protocol/report';
import { EXIT } from '../../operator/exit-codes.ts';
import { exactTime } from '../../operator/relative-time.ts';
import { findingColumns, findingRows } from '../../operator/report-table.ts';
import { moment, momentText } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash report: report what needs a look, such as last night.

Usage:
  leash report [options]

Prints what failed, was lost, late, slow, skipped, killed or left running, by job: what is not over
first, the worst first. The dashboard shows the same as "Last night".

Options:
  --since TIME           since TIME, at most 31 days ago: 8h, 3d, 2026-01-31, 2026-01-31T20:00:00Z;
                         default 12h
${operatorHelp()}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { since: { type: 'string' } },
  onWord: 'leash report takes no arguments',
  read: (flags) => ({ since: moment('--since', flags.since) }),
  run: async ({ since, asJson }, { api, output }) => {
    const query = since === null ? {} : { since: momentText(since, api.now()) };
    const { value: report, raw } = await api.get(Report, 'report', { path: '/report', query });
    if (asJson) {
      output.json(raw);
      return EXIT.done;
    }
    const rows = findingRows(report.jobs);
    if (rows.length > 0) output.table(findingColumns(api.now(), output.terminal), rows);
    for (const note of notes(report, api.now())) output.note(note);
    return EXIT.done;
  },
});

/** What was looked at, so that "nothing" can be believed. */
function* notes({ jobs, since, checked, is_truncated }: Report, nowMs: number): Generator<string> {
  if (jobs.length === 0) yield `nothing to look at since ${exactTime(since, nowMs)}`;
  const { runs, jobs: ofJobs, machines } = checked;
  yield `runs that started since ${exactTime(checked.since, nowMs)}: ${runs}, of ${ofJobs} jobs, on ${machines} machines`;
  if (is_truncated) yield 'there was more than a report can list; --since a later time shows all of it';
}

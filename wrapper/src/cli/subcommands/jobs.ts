/** `leash jobs`. */
import { Tag } from '#protocol/about';
import { Job } from '#protocol/api';
import { Glob } from '#protocol/names';
import { END_STATES, isBadEnd } from '#protocol/run-state';
import type { ApiClient, Received } from '../../operator/api-client.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { brokenExpectations } from '../../operator/expectations.ts';
import { hasAny, matchesAny } from '../../operator/list-runs.ts';
import { relativeTime } from '../../operator/relative-time.ts';
import { ageText, stateText, styleOfRun } from '../../operator/run-table.ts';
import type { Column } from '../../operator/table.ts';
import { listed, name } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash jobs: list jobs, with what runs of them and how they ended last.

Usage:
  leash jobs [options] [JOB...]

JOB is a name or a glob ('db-*'); without it, all jobs that the token may read. LAST ENDS counts the
machines by how the job ended last on each. EXPECTED is there if a run that was due has not started:
it is late, or missed since the next one is due.

Options:
  --tag NAME             only jobs whose newest run has this tag; may be repeated, or several with
                         commas
${operatorHelp()}`;

interface JobsOptions {
  readonly jobs: readonly string[];
  readonly tags: readonly string[];
}

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { tag: { type: 'string', multiple: true } },
  read: (flags, words): JobsOptions => ({
    jobs: words.map((glob) => name('JOB', Glob, glob)),
    tags: listed(flags.tag).map((tag) => name('--tag', Tag, tag)),
  }),
  run: async (options, { api, output }) => {
    const jobs = await matchingJobs(api, options);
    if (options.asJson) output.json(jobs.map(({ raw }) => raw));
    else if (jobs.length === 0) output.note(isFiltered(options) ? 'no jobs match' : 'no jobs have run yet');
    else
      output.table(
        columns(api.now(), await brokenStates(api)),
        jobs.map(({ value }) => value),
      );
    return jobs.length === 0 && isFiltered(options) ? EXIT.notFound : EXIT.done;
  },
});

async function matchingJobs(api: ApiClient, { jobs: names, tags }: JobsOptions): Promise<Received<Job>[]> {
  const jobs: Received<Job>[] = [];
  for await (const job of api.list(Job, 'jobs', { path: '/jobs' })) {
    if (matchesAny(names, job.value.name) && hasAny(tags, job.value)) jobs.push(job);
  }
  return jobs;
}

function isFiltered({ jobs, tags }: JobsOptions): boolean {
  return jobs.length > 0 || tags.length > 0;
}

/** The jobs with a run that is late or missed, and which of the two. */
async function brokenStates(api: ApiClient): Promise<ReadonlyMap<string, string>> {
  const states = new Map<string, string>();
  for (const { job, state } of await brokenExpectations(api)) {
    if (states.get(job) !== 'missed') states.set(job, state);
  }
  return states;
}

function columns(nowMs: number, broken: ReadonlyMap<string, string>): readonly Column<Job>[] {
  return [
    { header: 'JOB', text: (job) => job.name, style: () => 'bold', leastWidth: 16 },
    {
      header: 'RUNNING',
      text: ({ running_count }) => (running_count === 0 ? '-' : String(running_count)),
      style: ({ running_count }) => (running_count > 0 ? 'green' : 'dim'),
      align: 'right',
    },
    {
      header: 'LAST RUN',
      text: ({ last_run }) => (last_run === null ? '-' : stateText(last_run)),
      style: ({ last_run }) => (last_run === null ? null : styleOfRun(last_run)),
    },
    { header: 'STARTED', text: ({ last_run }) => (last_run === null ? '' : relativeTime(last_run.started_at, nowMs)) },
    ...(broken.size === 0
      ? []
      : [{ header: 'EXPECTED', text: ({ name }: Job) => broken.get(name) ?? '', style: () => 'red' as const }]),
    {
      header: 'DURATION',
      text: ({ last_run }) => (last_run === null ? '' : ageText(last_run, nowMs)),
      align: 'right',
      leaveOut: 1,
    },
    {
      header: 'LAST ENDS',
      text: ({ last_end_counts }) => endsText(last_end_counts),
      style: ({ last_end_counts }) =>
        END_STATES.some((end) => isBadEnd(end) && last_end_counts[end] > 0) ? 'red' : null,
      leastWidth: 12,
      leaveOut: 2,
    },
  ];
}

/** `1 failed, 3 succeeded`: what needs attention comes first. */
export function endsText(counts: Job['last_end_counts']): string {
  return [...END_STATES]
    .sort((one, other) => Number(isBadEnd(other)) - Number(isBadEnd(one)))
    .filter((end) => counts[end] > 0)
    .map((end) => `${counts[end]} ${end}`)
    .join(', ');
}

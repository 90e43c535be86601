import * as v from 'valibot';
import { type Run, RunList } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { MAX_KILLED_RUNS } from '#protocol/limits';
import { Glob } from '#protocol/names';
import { LIVE_STATES } from '#protocol/run-state';
import type { Api } from '../api.ts';
import { runLine } from '../describe.ts';
import { tool } from '../tool.ts';

const PAGE_RUNS = 500;
/** Where there are more live runs than this, a narrower question is better than a longer answer. */
const MAX_PAGES = 10;

export const previewKill = tool({
  name: 'preview_kill',
  title: 'Preview a kill',
  description:
    'Lists exactly which live runs match, without ending any. Show them to the person, and pass those that shall end to kill_runs.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object({
    jobs: v.optional(v.pipe(Glob, v.description('Jobs, as a glob such as "sync-*".')), '*'),
    machines: v.optional(v.pipe(Glob, v.description('Machines, as a glob such as "web-*".')), '*'),
  }),
  call: async (api, { jobs, machines }) => {
    const { runs, isComplete } = await liveRuns(api, jobs);
    const matching = runs.filter((run) => matchesGlob(jobs, run.job) && matchesGlob(machines, run.machine));
    const now = Date.now();
    const incomplete = isComplete ? [] : [`Only the newest ${runs.length} live runs were searched. Name a job.`];
    if (matching.length === 0) return ['No live run matches.', ...incomplete].join('\n');
    return [
      matching.length === 1 ? '1 run matches:' : `${matching.length} runs match:`,
      ...matching.map((run) => runLine(run, now)),
      ...(matching.length > MAX_KILLED_RUNS ? [`One call of kill_runs ends at most ${MAX_KILLED_RUNS}.`] : []),
      ...incomplete,
    ].join('\n');
  },
});

/** Runs that may be alive: a lost run may reconnect. */
async function liveRuns(api: Api, jobs: string): Promise<{ runs: Run[]; isComplete: boolean }> {
  const job = jobs.includes('*') || jobs.includes('?') ? undefined : jobs;
  const query = { job, state: [...LIVE_STATES, 'lost'].join(','), limit: PAGE_RUNS };
  const runs: Run[] = [];
  let isComplete = false;
  for await (const page of api.pages('/runs', query, RunList, MAX_PAGES)) {
    runs.push(...page.runs.filter((run) => !run.final));
    isComplete = page.next_cursor === null;
  }
  return { runs, isComplete };
}

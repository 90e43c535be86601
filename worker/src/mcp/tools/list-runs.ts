import * as v from 'valibot';
import { RunList } from '#protocol/api';
import { JobName, MachineName } from '#protocol/names';
import { RunState } from '#protocol/run-state';
import { InputTime } from '#protocol/time';
import { runLine } from '../describe.ts';
import { tool } from '../tool.ts';
import { PAGE } from './inputs.ts';

export const listRuns = tool({
  name: 'list_runs',
  title: 'List runs',
  description:
    'Lists runs, newest first. For what runs now, ask for the states waiting, running and killing. The list may be a second behind.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object({
    job: v.optional(v.pipe(JobName, v.description('Only runs of this job.'))),
    machine: v.optional(v.pipe(MachineName, v.description('Only runs on this machine.'))),
    states: v.optional(v.pipe(v.array(RunState), v.minLength(1), v.description('Only runs in one of these states.'))),
    since: v.optional(
      v.pipe(InputTime, v.description('Only runs that ended after this RFC 3339 time, or have not ended.')),
    ),
    ...PAGE,
  }),
  call: async (api, { states, ...query }) => {
    const { runs, next_cursor } = await api.get('/runs', { ...query, state: states?.join(',') }, RunList);
    const now = Date.now();
    if (runs.length === 0) return 'No runs match.';
    const more = next_cursor === null ? [] : [`More follow: cursor=${next_cursor}`];
    return [...runs.map((run) => runLine(run, now)), ...more].join('\n');
  },
});

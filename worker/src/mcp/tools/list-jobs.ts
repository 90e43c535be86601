import * as v from 'valibot';
import { JobList } from '#protocol/api';
import { tool } from '../tool.ts';
import { PAGE } from './inputs.ts';

export const listJobs = tool({
  name: 'list_jobs',
  title: 'List jobs',
  description: 'Lists jobs with how many of their runs are alive, and how each ended last on each machine.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object(PAGE),
  call: async (api, { cursor, limit }) => {
    const { jobs, next_cursor } = await api.get('/jobs', { cursor, limit }, JobList);
    const lines = jobs.map(({ name, running_count, last_run, last_end_counts }) => {
      const ends = Object.entries(last_end_counts).filter(([, count]) => count > 0);
      const lastEnds = ends.map(([state, count]) => `${state} on ${count}`).join(', ');
      return [
        `job=${name} alive=${running_count}`,
        ...(last_run === null ? [] : [`last_started=${last_run.started_at}`]),
        `last ends by machine: ${lastEnds === '' ? 'none' : lastEnds}`,
      ].join(' ');
    });
    if (lines.length === 0) return 'No jobs.';
    return [...lines, ...(next_cursor === null ? [] : [`More follow: cursor=${next_cursor}`])].join('\n');
  },
});

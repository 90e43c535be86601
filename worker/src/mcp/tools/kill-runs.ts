import * as v from 'valibot';
import { KillsBody } from '#protocol/api';
import { MAX_GRACE_MS, MAX_KILLED_RUNS, MAX_REASON_CHARS } from '#protocol/limits';
import { JobName, RunId } from '#protocol/names';
import { killLines } from '../describe.ts';
import { tool } from '../tool.ts';
import { waitSeconds } from './inputs.ts';

export const killRuns = tool({
  name: 'kill_runs',
  title: 'End runs',
  description: `Ends exactly these runs, with everything that they have started: first their signal (SIGTERM unless they set another), after the grace SIGKILL. It can't be undone. Call preview_kill before, and end only what a person has agreed to.`,
  scopes: ['kill'],
  isDestructive: true,
  input: v.object({
    runs: v.pipe(
      v.array(v.object({ job: JobName, run: RunId })),
      v.minLength(1),
      v.maxLength(MAX_KILLED_RUNS),
      v.description('The runs, each by its job and its id.'),
    ),
    reason: v.pipe(
      v.string(),
      v.trim(),
      v.minLength(1),
      v.maxLength(MAX_REASON_CHARS),
      v.description('Why, in the words of the person who decided. Shown on the runs and in the audit log.'),
    ),
    grace_seconds: v.optional(
      v.pipe(
        v.number(),
        v.minValue(0),
        v.maxValue(MAX_GRACE_MS / 1000),
        v.description(
          'The time between the first signal and SIGKILL. Default: what each run has set. 0: SIGKILL at once.',
        ),
      ),
    ),
    wait_seconds: waitSeconds('How long to wait for the runs to end.'),
  }),
  call: async (api, { wait_seconds, ...body }) => {
    const { kills } = await api.post('/kills', { wait: wait_seconds }, body, KillsBody);
    const open = kills.filter(({ state }) => state !== 'settled');
    return [
      ...kills.flatMap(killLines),
      open.length === 0
        ? 'All kills are settled.'
        : `In progress: ${open.map(({ id }) => id).join(', ')}. The kills stay in force; call follow_kill to see how far they have come.`,
    ].join('\n');
  },
});

import * as v from 'valibot';
import { KillBody } from '#protocol/api';
import { MAX_WAIT_SECONDS } from '#protocol/limits';
import { KillId } from '#protocol/names';
import { killLines } from '../describe.ts';
import { tool } from '../tool.ts';

export const followKill = tool({
  name: 'follow_kill',
  title: 'Follow a kill',
  description: 'Says how far a kill has come on each machine, and waits for it to settle.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object({
    kill: v.pipe(KillId, v.description('The id of the kill.')),
    wait_seconds: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(0),
        v.maxValue(MAX_WAIT_SECONDS),
        v.description('How long to wait for it to settle.'),
      ),
      20,
    ),
  }),
  call: async (api, { kill: id, wait_seconds }) => {
    const { kill } = await api.get(`/kills/${id}`, { wait: wait_seconds }, KillBody);
    return killLines(kill).join('\n');
  },
});

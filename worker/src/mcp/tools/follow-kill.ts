import * as v from 'valibot';
import { KillBody } from '#protocol/api';
import { KillId } from '#protocol/names';
import { killLines } from '../describe.ts';
import { tool } from '../tool.ts';
import { waitSeconds } from './inputs.ts';

export const followKill = tool({
  name: 'follow_kill',
  title: 'Follow a kill',
  description: 'Says how far a kill has come on each machine, and waits for it to settle.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object({
    kill: v.pipe(KillId, v.description('The id of the kill.')),
    wait_seconds: waitSeconds('How long to wait for it to settle.'),
  }),
  call: async (api, { kill: id, wait_seconds }) => {
    const { kill } = await api.get(`/kills/${id}`, { wait: wait_seconds }, KillBody);
    return killLines(kill).join('\n');
  },
});

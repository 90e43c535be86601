/** `GET /commands`, `GET /commands/{id}`: what was ordered, and how far it has come. */
import * as v from 'valibot';
import { type Command, CommandBody, CommandList } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { CommandState } from '#protocol/kill';
import { CommandId, JobName } from '#protocol/names';
import { log } from '../../log.ts';
import { json, operation } from '../api/operation.ts';
import { cursor, limit, wait, words } from '../api/parameters.ts';
import type { AppContext } from '../context.ts';
import { findCommand, listCommands } from '../db/kills.ts';
import { waitForCommand } from '../kill-wait.ts';
import { pageOf } from '../page.ts';
import { ApiError } from '../problem-response.ts';

export const commandOperations = [
  operation({
    id: 'listCommands',
    method: 'get',
    path: '/commands',
    summary: 'Commands, newest first',
    description: 'A page ends early when its commands have very many targets.',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      job: v.optional(JobName),
      state: v.optional(v.pipe(words(CommandState), v.description('One state, or several, separated by commas.'))),
      batch: v.optional(v.pipe(CommandId, v.description('Only those that one call has made.'))),
      limit,
      cursor: cursor(CommandId),
    },
    answers: { 200: json(CommandList, 'Commands as the index has them: it may be a moment behind.') },
    handle: async ({ c, caller, query }) => {
      const { job, state: states, batch, cursor: before } = query;
      const filter = { jobGlob: caller.token.jobs, job, states, batch, before };
      const rows = await listCommands(c.env.DB, filter, query.limit + 1);
      const commands = rows.flatMap(({ command }) => (command === null ? [] : [command]));
      const { page, next } = pageOf(rows, Math.min(query.limit, commands.length), ({ id }) => id);
      return c.json<v.InferOutput<typeof CommandList>>({ commands: commands.slice(0, page.length), next_cursor: next });
    },
  }),
  operation({
    id: 'getCommand',
    method: 'get',
    path: '/commands/{id}',
    summary: 'How far a command has come',
    access: { kind: 'scope', scopes: ['read', 'kill'] },
    params: { id: CommandId },
    query: { wait },
    answers: { 200: json(CommandBody, 'The command with its targets and their exit codes.') },
    problems: ['unknown_command'],
    handle: async ({ c, caller, params, query }) => {
      const command = await findCommand(c.env.DB, params.id);
      // A command of a job that the caller may not see is, to the caller, none.
      if (command === null || !matchesGlob(caller.token.jobs, command.job)) {
        throw new ApiError('unknown_command', `There is no command ${params.id}.`);
      }
      return c.json<v.InferOutput<typeof CommandBody>>({ command: await commandAfter(c, command, query.wait) });
    },
  }),
];

/** What the job's object says of the command, or D1 when the object doesn't know it yet or can't be reached. */
export async function commandAfter(c: AppContext, command: Command, waitSeconds: number): Promise<Command> {
  try {
    return (await waitForCommand(c.env, command.job, command.id, waitSeconds * 1000)) ?? command;
  } catch (error) {
    log.error('command_not_read', error, { request: c.get('requestId'), job: command.job, command: command.id });
    return command;
  }
}

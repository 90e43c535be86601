/** `GET /machines`, `GET /machines/{machine}`: where runs were, what runs there, and how it ended. */
import type * as v from 'valibot';
import { MachineBody, MachineList } from '#protocol/machines';
import { MachineName } from '#protocol/names';
import { findMachine, jobsOfMachine, listMachines } from '../../../shared/d1/machines.ts';
import { ApiError } from '../../api-error.ts';
import { pageOf } from '../list-page.ts';
import { json, operation } from '../operation.ts';
import { cursor, limit } from '../parameters.ts';

export const machineOperations = [
  operation({
    id: 'listMachines',
    method: 'get',
    path: '/machines',
    summary: 'List machines by name',
    description: 'Those on which a run of a job was that the token may read, as long as a run of it is kept.',
    access: { kind: 'scope', scopes: ['read'] },
    query: { limit, cursor: cursor(MachineName) },
    responses: { 200: json(MachineList, 'A page of machines.') },
    handle: async ({ c, caller, query }) => {
      const filter = { jobGlob: caller.token.jobs, after: query.cursor ?? '', now: Date.now() };
      const rows = await listMachines(c.env.DB, filter, query.limit + 1);
      const { page, next } = pageOf(rows, query.limit, ({ name }) => name);
      return c.json<v.InferOutput<typeof MachineList>>({ machines: [...page], next_cursor: next });
    },
  }),
  operation({
    id: 'getMachine',
    method: 'get',
    path: '/machines/{machine}',
    summary: 'Get a machine, what runs on it, and how jobs ended there',
    access: { kind: 'scope', scopes: ['read'] },
    params: { machine: MachineName },
    responses: {
      200: json(MachineBody, 'The machine, its newest live runs, and its jobs: those that need attention first.'),
    },
    errors: ['unknown_machine'],
    handle: async ({ c, caller, params }) => {
      const scope = { jobGlob: caller.token.jobs, now: Date.now() };
      const machine = await findMachine(c.env.DB, params.machine, scope);
      if (machine === null) {
        throw new ApiError('unknown_machine', `No run was on machine ${params.machine}. Check the name.`);
      }
      const { running, jobs } = await jobsOfMachine(c.env.DB, machine.name, scope);
      return c.json<v.InferOutput<typeof MachineBody>>({ machine, running: [...running], jobs: [...jobs] });
    },
  }),
];

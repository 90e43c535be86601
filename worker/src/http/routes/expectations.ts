/** `/jobs/{job}/expectations`: when runs are expected, and whether that holds. */
import * as v from 'valibot';
import { BrokenExpectations, ExpectationBody, ExpectationList, NewExpectation } from '#protocol/expectations';
import { JobName, MachineName } from '#protocol/names';
import { recordAudit } from '../../../shared/d1/audit.ts';
import { brokenExpectations } from '../../../shared/d1/expectations.ts';
import { listRuns } from '../../../shared/d1/run-lists.ts';
import { callJob, type ExpectationResult } from '../../../shared/rpc/job-object.ts';
import { ApiError } from '../../api-error.ts';
import { auditEntry } from '../../audit-entry.ts';
import { HABIT_RUNS, habitsOf } from '../../habits.ts';
import { callOrigin } from '../client-address.ts';
import { empty, json, operation } from '../operation.ts';
import { limit } from '../parameters.ts';

const ofJob = { path: '/jobs/{job}/expectations', params: { job: JobName } } as const;

export const expectationOperations = [
  operation({
    id: 'listBrokenExpectations',
    method: 'get',
    path: '/expectations',
    summary: 'List the expectations that do not hold',
    description: 'Those that are late or missed, the newest first, as of their last change.',
    access: { kind: 'scope', scopes: ['read'] },
    query: { limit },
    responses: { 200: json(BrokenExpectations, 'The newest of them.') },
    handle: async ({ c, caller, query }) => {
      const expectations = await brokenExpectations(c.env.DB, caller.token.jobs, query.limit);
      return c.json<v.InferOutput<typeof BrokenExpectations>>({ expectations });
    },
  }),
  operation({
    ...ofJob,
    id: 'listExpectations',
    method: 'get',
    summary: 'List the expectations of a job',
    description:
      'With what its last runs have usually been like, if they show a pattern: `usual` can be offered as an expectation, and is none by itself.',
    access: { kind: 'scope', scopes: ['read'] },
    responses: { 200: json(ExpectationList, 'The expectations of the job: as a whole first, then by machine.') },
    handle: async ({ c, params, caller }) => {
      const { job } = params;
      const [expectations, runs] = await Promise.all([
        callJob(c.env, job, async (object) => await object.expectations()),
        listRuns(c.env.DB, { jobGlob: caller.token.jobs, job }, HABIT_RUNS),
      ]);
      const usual = habitsOf(runs.map(({ run }) => run));
      return c.json<v.InferOutput<typeof ExpectationList>>({ expectations: [...expectations], usual });
    },
  }),
  operation({
    ...ofJob,
    id: 'setExpectation',
    method: 'put',
    summary: 'Set when runs of a job are expected',
    description:
      'Replaces what was set for this machine, or, without `machine`, for the job as a whole: then a run on any machine fulfils it. It has precedence over the flags of `leash run`. Without any field nothing is expected, whatever the flags say.',
    access: { kind: 'scope', scopes: ['admin'] },
    body: NewExpectation,
    responses: { 200: json(ExpectationBody, 'The expectation.') },
    errors: ['unknown_job'],
    handle: async ({ c, caller, params, body }) => {
      const { job } = params;
      const { machine, ...expected } = body;
      const result = await callJob(c.env, job, async (object) => await object.setExpectation(machine, expected));
      const expectation = requireSet(job, result);
      await recordAudit(
        c.env.DB,
        auditEntry(callOrigin(c), {
          actor: caller.token,
          action: 'expectation_set',
          subject: job,
          detail: { machine, ...expected },
        }),
      ).run();
      return c.json<v.InferOutput<typeof ExpectationBody>>({ expectation });
    },
  }),
  operation({
    ...ofJob,
    id: 'deleteExpectation',
    method: 'delete',
    summary: 'Remove an expectation of a job',
    description:
      'Of a machine, or, without `machine`, of the job as a whole, whoever has set it. The next run on that machine whose command line expects something sets it again.',
    access: { kind: 'scope', scopes: ['admin'] },
    query: { machine: v.optional(MachineName) },
    responses: { 204: empty('Removed.') },
    errors: ['not_found'],
    handle: async ({ c, caller, params, query }) => {
      const { job } = params;
      const machine = query.machine ?? null;
      const wasThere = await callJob(c.env, job, async (object) => await object.removeExpectation(machine));
      if (!wasThere) {
        const of = machine === null ? 'as a whole' : `on ${machine}`;
        throw new ApiError('not_found', `Nothing is expected of job ${job} ${of}.`);
      }
      await recordAudit(
        c.env.DB,
        auditEntry(callOrigin(c), {
          actor: caller.token,
          action: 'expectation_removed',
          subject: job,
          detail: { machine },
        }),
      ).run();
      return c.body(null, 204);
    },
  }),
];

/** @throws ApiError */
function requireSet(job: string, result: ExpectationResult) {
  switch (result.kind) {
    case 'set':
      return result.expectation;
    case 'refused':
      throw new ApiError('bad_request', `body: ${result.problem}`);
    case 'too_many':
      throw new ApiError('bad_request', `Job ${job} has ${result.limit} expectations already: remove some first.`);
    case 'unknown_job':
      throw new ApiError('unknown_job', `Job ${job} has no runs. Check the name.`);
  }
}

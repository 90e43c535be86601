/** The calls about what is expected of one job: apart, because only its page makes them. */

import type * as v from 'valibot';
import { type Expectation, ExpectationBody, ExpectationList, type Expected } from '#protocol/expectations';
import { pick, withQuery } from './calls.ts';
import type { Result } from './failure.ts';
import { call, callFor } from './http.ts';

export function fetchExpectations(job: string): Promise<Result<v.InferOutput<typeof ExpectationList>>> {
  return callFor(ExpectationList, { path: expectationsPath(job) });
}

/** @param machine null: any */
export async function putExpectation(
  job: string,
  machine: string | null,
  expected: Expected,
): Promise<Result<Expectation>> {
  const body = { machine, ...expected };
  const answer = await callFor(ExpectationBody, { method: 'PUT', path: expectationsPath(job), body });
  return pick(answer, ({ expectation }) => expectation);
}

export async function deleteExpectation(job: string, machine: string | null): Promise<Result<null>> {
  const path = withQuery(expectationsPath(job), { machine });
  return pick(await call({ method: 'DELETE', path }), () => null);
}

function expectationsPath(job: string): string {
  return `/jobs/${encodeURIComponent(job)}/expectations`;
}

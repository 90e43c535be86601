/** What is expected of jobs. A control plane from before that knows no such call. */
import { BrokenExpectations, type Expectation, ExpectationList } from '#protocol/expectations';
import { expectedText } from '#shared/expected-text';
import type { ApiClient } from './api-client.ts';
import { EXIT } from './exit-codes.ts';
import { ApiError } from './operator-error.ts';
import { exactTime } from './relative-time.ts';

const MAX_BROKEN = 500;

/** Those of a job. */
export function expectationsOf(api: ApiClient, job: string): Promise<readonly Expectation[]> {
  return ifKnown(
    async () => (await api.call(ExpectationList, { path: `/jobs/${job}/expectations` })).value.expectations,
  );
}

/** The newest that are late or missed, of all jobs. */
export function brokenExpectations(api: ApiClient): Promise<readonly Expectation[]> {
  const call = { path: '/expectations', query: { limit: MAX_BROKEN } };
  return ifKnown(async () => (await api.call(BrokenExpectations, call)).value.expectations);
}

async function ifKnown(fetch: () => Promise<readonly Expectation[]>): Promise<readonly Expectation[]> {
  try {
    return await fetch();
  } catch (error) {
    if (error instanceof ApiError && error.exitCode === EXIT.notFound) return [];
    throw error;
  }
}

/** `web1: every 1h; late, due 2026-11-30 19:04:05Z`. */
export function expectationText(expectation: Expectation, nowMs: number): string {
  const { machine, state, due_at, problem, last_run_skipped } = expectation;
  const due = due_at === null ? null : `due ${exactTime(due_at, nowMs)}`;
  const skipped = last_run_skipped ? 'last run skipped' : null;
  const facts = [state === 'late' || state === 'missed' ? state : null, due, skipped, problem];
  const told = facts.filter((fact) => fact !== null).join(', ');
  return `${machine ?? 'any machine'}: ${expectedText(expectation)}${told === '' ? '' : `; ${told}`}`;
}

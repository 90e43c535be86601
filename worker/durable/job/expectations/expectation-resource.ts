import type { Expectation } from '#protocol/expectations';
import type { RunRecord } from '../run-store.ts';
import { ANY_MACHINE, type ExpectationRecord, expectedOf } from './expectation-store.ts';

/** An expectation as the API returns it. @param last its last run, if that is still known */
export function expectationResource(job: string, record: ExpectationRecord, last: RunRecord | null): Expectation {
  return {
    job,
    machine: record.machine === ANY_MACHINE ? null : record.machine,
    ...expectedOf(record),
    source: record.fromOperator === null ? 'run' : 'operator',
    state: record.state,
    since: new Date(record.since).toISOString(),
    due_at: timestamp(record.dueAt),
    last_started_at: timestamp(record.lastStartedAt),
    last_run: record.lastRun,
    last_run_skipped: last?.state === 'skipped',
    problem: record.problem,
    seq: record.seq,
  };
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** Runs that were late or missed, in D1 only. */
import type { OverdueRun } from '#protocol/expectations';
import { insertOverdueRuns } from '../../shared/d1/overdue-runs.ts';
import { env } from './env.ts';

const HOUR_MS = 60 * 60 * 1000;

/** A run that was due four hours before the end. */
export function overdueRun(job: string, endedAt: number, fields: Partial<OverdueRun> = {}): OverdueRun {
  const hoursBefore = (hours: number) => new Date(endedAt - hours * HOUR_MS).toISOString();
  return {
    job,
    machine: 'web1',
    due_at: hoursBefore(4),
    state: 'late',
    since: hoursBefore(3),
    judged_at: hoursBefore(3),
    ended_at: hoursBefore(0),
    run: null,
    started_at: null,
    ...fields,
  };
}

export async function indexOverdue(...overdueRuns: OverdueRun[]): Promise<void> {
  await insertOverdueRuns(env.DB, overdueRuns).run();
}

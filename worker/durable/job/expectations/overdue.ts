/** The run that is late or missed, from the first verdict until it is neither. Pure. */
import type { ExpectationState, OverdueRun } from '#protocol/expectations';
import type { RunRecord } from '../run-store.ts';
import { ANY_MACHINE } from './expectation-store.ts';
import type { Judgement } from './judgement.ts';

export interface Overdue extends Pick<OverdueRun, 'state'> {
  readonly dueAt: number;
  readonly since: number;
  readonly judgedAt: number;
}

export function isBroken(state: ExpectationState): state is OverdueRun['state'] {
  return state === 'late' || state === 'missed';
}

/** What is overdue by a verdict. @param before what was, if that is not over */
export function overdueBy({ state, since, dueAt }: Judgement, before: Overdue | null, now: number): Overdue | null {
  if (!isBroken(state) || dueAt === null) return before;
  if (before === null) return { state, dueAt, since: since ?? now, judgedAt: now };
  return before.state === 'late' && state === 'missed' ? { ...before, state, since: since ?? now } : before;
}

/** What was overdue, as the API shows it. @param came the run that came; null: none did */
export function overdueRunResource(
  { job, machine, endedAt }: { readonly job: string; readonly machine: string; readonly endedAt: number },
  { dueAt, state, since, judgedAt }: Overdue,
  came: RunRecord | null,
): OverdueRun {
  return {
    job,
    machine: machine === ANY_MACHINE ? null : machine,
    due_at: timestamp(dueAt),
    state,
    since: timestamp(since),
    judged_at: timestamp(judgedAt),
    ended_at: timestamp(endedAt),
    run: came?.id ?? null,
    started_at: came === null ? null : timestamp(came.startedAt),
  };
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

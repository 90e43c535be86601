/** The filters of a job's history, as in the address: `?state=failed,killed&machine=…&instance=…`. Pure. */
import type { Run } from '#protocol/api';
import { RUN_STATES, type RunState } from '#protocol/run-state';

export interface RunFilter {
  /** None means all. */
  readonly states: readonly RunState[];
  readonly machine: string | null;
  readonly instance: string | null;
}

export const EVERYTHING: RunFilter = { states: [], machine: null, instance: null };

/** The states that are asked for together: whoever looks for what runs wants what is being killed as well. */
export const STATE_CHOICES = [
  'waiting',
  'running',
  'succeeded',
  'failed',
  'killed',
  'timed_out',
  'lost',
  'errored',
  'skipped',
] as const;
export type StateChoice = (typeof STATE_CHOICES)[number];

export function choiceOf(state: RunState): StateChoice {
  return state === 'killing' ? 'running' : state;
}

/** What is not known is left out: an old link must not show an error. */
export function parseRunFilter(query: URLSearchParams): RunFilter {
  const asked = new Set((query.get('state') ?? '').split(','));
  return {
    states: RUN_STATES.filter((state) => asked.has(choiceOf(state))),
    machine: query.get('machine') || null,
    instance: query.get('instance') || null,
  };
}

/** Takes a state in, or out if it is in: as the address is to say it, null for all. */
export function toggledStates({ states }: RunFilter, choice: StateChoice): string | null {
  const chosen = new Set(states.map(choiceOf));
  if (!chosen.delete(choice)) chosen.add(choice);
  if (chosen.size === 0 || chosen.size === STATE_CHOICES.length) return null;
  return STATE_CHOICES.filter((known) => chosen.has(known)).join(',');
}

export function matchesRun({ states, machine, instance }: RunFilter, run: Run): boolean {
  return (
    (states.length === 0 || states.includes(run.state)) &&
    (machine === null || run.machine === machine) &&
    (instance === null || run.instance === instance)
  );
}

export function isFiltered({ states, machine, instance }: RunFilter): boolean {
  return states.length > 0 || machine !== null || instance !== null;
}

/**
 * A job's runs as far as they are known: out of pages of a list, which are narrowed, and of changes, which are not, in any
 * order. Pure.
 *
 * Of each run the version with the higher `seq` counts. What is known need not be without holes: a run that was told of
 * because it has just changed may be much older than the pages that were loaded. So the history is shown down to where
 * the pages reach, and no further.
 */
import type { Run } from '#protocol/api';
import { type ForgottenRun, newerOf, type Runs } from '../../state/newest.ts';
import { type RunRef, refOf, runRef } from '../../state/run-ref.ts';
import { matchesRun, type RunFilter } from './filter.ts';

/** Where a run stands in the list: newest start first. */
type Position = Pick<Run, 'started_at' | 'id'>;

/** How far down the list everything is known. */
export type Reach =
  /** Nothing was loaded yet. */
  { readonly kind: 'nowhere' } | { readonly kind: 'to'; readonly last: Position } | { readonly kind: 'end' };

export interface History {
  readonly runs: Runs;
  readonly reach: Reach;
}

export const NO_HISTORY: History = { runs: new Map(), reach: { kind: 'nowhere' } };

/** A page that stays open all day must not grow all day. */
export const KEPT_RUNS = 20_000;
/** Forgotten are some more than needed, so that it is not done anew for each run that comes. */
const ALMOST = 0.95;

/** Whether more should not be loaded: it would be forgotten again. */
export function isFull({ runs }: History): boolean {
  return runs.size >= KEPT_RUNS * ALMOST;
}

/** Takes runs as they are by now. The same history if nothing of it was new. */
export function withRuns(history: History, arrived: readonly Run[]): History {
  let runs: Map<RunRef, Run> | null = null;
  for (const run of arrived) {
    const ref = refOf(run);
    const known = (runs ?? history.runs).get(ref);
    if (newerOf(known, run) === known) continue;
    runs ??= new Map(history.runs);
    runs.set(ref, run);
  }
  return runs === null ? history : { ...history, runs };
}

/** Takes a page of the list, which reaches down to its last run, or, if there is no other page, to the end. */
export function withPage(history: History, page: readonly Run[], isLast: boolean): History {
  const last = page.at(-1);
  const reach: Reach = isLast || last === undefined ? { kind: 'end' } : { kind: 'to', last };
  return { ...withRuns(history, page), reach };
}

/** Takes a run away that the control plane no longer has. */
export function withoutRun(history: History, ref: RunRef): History {
  if (!history.runs.has(ref)) return history;
  const runs = new Map(history.runs);
  runs.delete(ref);
  return { ...history, runs };
}

/** Takes runs away that are kept no longer. The same history if it has none of them. */
export function withoutForgotten(history: History, forgotten: readonly ForgottenRun[]): History {
  return forgotten.reduce((rest, { job, id, seq }) => {
    const ref = runRef(job, id);
    const known = rest.runs.get(ref);
    return known === undefined || known.seq > seq ? rest : withoutRun(rest, ref);
  }, history);
}

/** Forgets the oldest when there are too many: they can be loaded again. The same history if there are not. */
export function trimmed(history: History, most: number = KEPT_RUNS): History {
  if (history.runs.size <= most) return history;
  const kept = [...history.runs.values()].sort(newestStartFirst).slice(0, Math.ceil(most * ALMOST));
  const last = kept.at(-1);
  const runs = new Map(kept.map((run) => [refOf(run), run]));
  const { reach } = history;
  if (last === undefined) return { runs, reach };
  const reachesFurther = reach.kind === 'end' || (reach.kind === 'to' && newestStartFirst(last, reach.last) < 0);
  return { runs, reach: reachesFurther ? { kind: 'to', last } : reach };
}

/** What is shown, newest start first. Before anything was loaded: what is known already. */
export function shownRuns({ runs, reach }: History, filter: RunFilter): Run[] {
  return [...runs.values()]
    .filter((run) => matchesRun(filter, run) && (reach.kind !== 'to' || newestStartFirst(run, reach.last) <= 0))
    .sort(newestStartFirst);
}

function newestStartFirst(a: Position, b: Position): number {
  if (a.started_at !== b.started_at) return a.started_at < b.started_at ? 1 : -1;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}

/** A run is heard of only after it has started: the job is as old as its earliest run that is known. */
export function firstSeen(toldAt: string | null, runs: readonly Pick<Run, 'started_at'>[]): string | null {
  if (toldAt === null) return null;
  return runs.reduce((first, run) => (Date.parse(run.started_at) < Date.parse(first) ? run.started_at : first), toldAt);
}

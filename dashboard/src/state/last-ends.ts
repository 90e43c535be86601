/**
 * How a job ended last on each machine, out of lists and of runs that end, in any order: of two ends on a machine the
 * later one counts. Pure.
 */
import type { Job, LastEnd } from '#protocol/api';
import { END_STATES, isBadEnd } from '#protocol/run-state';

export interface LastEnds {
  readonly byMachine: ReadonlyMap<string, LastEnd>;
  /** On how many further machines it has ended, which the list only counts. */
  readonly unlisted: { readonly bad: number; readonly good: number };
}

export const NO_LAST_ENDS: LastEnds = { byMachine: new Map(), unlisted: { bad: 0, good: 0 } };

export function machineCount({ byMachine, unlisted }: LastEnds): number {
  return byMachine.size + unlisted.bad + unlisted.good;
}

/** With what a list says, which may be older or newer than what is known. */
export function withListed(known: LastEnds, { last_ends, last_end_counts }: Job): LastEnds {
  const byMachine = new Map(known.byMachine);
  for (const end of last_ends) {
    const other = byMachine.get(end.machine);
    if (other === undefined || replaces(end, other)) byMachine.set(end.machine, end);
  }
  // What is known beyond the list is among those that it only counts.
  const named = new Set(last_ends.map(({ machine }) => machine));
  const beyond = [...known.byMachine.values()].filter(({ machine }) => !named.has(machine));
  const unlisted = { bad: 0, good: 0 };
  for (const state of END_STATES) unlisted[isBadEnd(state) ? 'bad' : 'good'] += last_end_counts[state];
  for (const { state } of [...last_ends, ...beyond]) unlisted[isBadEnd(state) ? 'bad' : 'good'] -= 1;
  return { byMachine, unlisted: { bad: Math.max(0, unlisted.bad), good: Math.max(0, unlisted.good) } };
}

/** With an end that nothing can change any more. */
export function withEnd(known: LastEnds, end: LastEnd): LastEnds {
  const other = known.byMachine.get(end.machine);
  if (other !== undefined && other.run !== end.run && !replaces(end, other)) return known;
  const byMachine = new Map(known.byMachine).set(end.machine, end);
  return { byMachine, unlisted: other === undefined ? oneLess(known.unlisted) : known.unlisted };
}

/** Without runs that are kept no longer: on their machines no older end is kept either. */
export function withoutEnds(known: LastEnds, isGone: (end: LastEnd) => boolean): LastEnds {
  const gone = [...known.byMachine.values()].filter(isGone);
  if (gone.length === 0) return known;
  const byMachine = new Map(known.byMachine);
  for (const { machine } of gone) byMachine.delete(machine);
  return { ...known, byMachine };
}

/** A machine that was not named is one of those that were only counted, while there are any. */
function oneLess(unlisted: LastEnds['unlisted']): LastEnds['unlisted'] {
  if (unlisted.good > 0) return { ...unlisted, good: unlisted.good - 1 };
  return unlisted.bad > 0 ? { ...unlisted, bad: unlisted.bad - 1 } : unlisted;
}

/** A run that was skipped says nothing of how the job is: it counts only where there is no other. */
function replaces(end: LastEnd, other: LastEnd): boolean {
  const [isSkipped, wasSkipped] = [end.state === 'skipped', other.state === 'skipped'];
  return isSkipped === wasSkipped ? isLater(end, other) : wasSkipped;
}

function isLater(a: LastEnd, b: LastEnd): boolean {
  return a.ended_at === b.ended_at ? a.run > b.run : a.ended_at > b.ended_at;
}

/** Whether the list of a job's last ends names only some of them. */
export function isTruncated({ last_ends, last_end_counts }: Job): boolean {
  return Object.values(last_end_counts).reduce((sum, count) => sum + count, 0) > last_ends.length;
}

/** Which occurrences a rule is about. Pure. */
import type { AlertKind, Occurrence } from '#protocol/alerts';
import { matchesGlob } from '#protocol/glob';

export interface Selector {
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  /** Any of them; none: with or without. */
  readonly tags: readonly string[];
  readonly kinds: readonly AlertKind[];
}

/** Whether a rule wants an occurrence. One of a job as a whole is on all machines. */
export function matchesRule(rule: Selector, occurrence: Occurrence): boolean {
  const { kind, tags } = occurrence;
  return (
    kind !== 'fine' &&
    rule.kinds.includes(kind) &&
    matchesPlace(rule, occurrence) &&
    (rule.tags.length === 0 || rule.tags.some((tag) => tags.includes(tag)))
  );
}

/** Whether globs of jobs and machines match where something has happened. */
export function matchesPlace(
  { jobs, machines }: Pick<Selector, 'jobs' | 'machines'>,
  { job, machine }: Pick<Occurrence, 'job' | 'machine'>,
): boolean {
  return (
    jobs.some((glob) => matchesGlob(glob, job)) &&
    (machine === null || machines.some((glob) => matchesGlob(glob, machine)))
  );
}

/** What `leash doctor` finds out. */

export type Finding =
  | { readonly check: string; readonly status: 'ok'; readonly what: string }
  /** Worth knowing, and nothing to mend: also what was not checked, and why. */
  | { readonly check: string; readonly status: 'note'; readonly what: string }
  /** Jobs run and can be stopped, but not as well as they should. */
  | { readonly check: string; readonly status: 'warning'; readonly what: string; readonly remedy: string }
  /** Jobs can't be seen or stopped, or a secret is exposed. */
  | { readonly check: string; readonly status: 'problem'; readonly what: string; readonly remedy: string };

export type Status = Finding['status'];

/** Findings about one subject, in the order in which they were made. */
export interface Section {
  readonly id: SectionId;
  readonly findings: readonly Finding[];
}

/** In the order in which they are checked. */
const SECTION_IDS = [
  'program',
  'settings',
  'token',
  'way',
  'rights',
  'version',
  'clock',
  'state',
  'memory',
  'cgroup',
  'cron',
  'limits',
  'trial',
] as const;
export type SectionId = (typeof SECTION_IDS)[number];

/** @param check names the check, for programs: it stays the same between versions */
export function ok(check: string, what: string): Finding {
  return { check, status: 'ok', what };
}

export function note(check: string, what: string): Finding {
  return { check, status: 'note', what };
}

/** @param remedy a whole sentence: what to do */
export function warning(check: string, what: string, remedy: string): Finding {
  return { check, status: 'warning', what, remedy };
}

/** @param remedy a whole sentence: what to do */
export function problem(check: string, what: string, remedy: string): Finding {
  return { check, status: 'problem', what, remedy };
}

export function isProblem({ status }: Finding): boolean {
  return status === 'problem';
}

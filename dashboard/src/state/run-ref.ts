/** What names a run on this page. Its id alone does not: nothing keeps two jobs from reporting the same id. */
import type { Run } from '#protocol/api';

declare const brand: unique symbol;

/** A job and a run id as one text, to know a run by in maps and sets. A bare id is none. */
export type RunRef = string & { readonly [brand]: 'RunRef' };

/** As much of a run as names it. */
export type RunName = Pick<Run, 'job' | 'id'>;

export function runRef(job: string, id: string): RunRef {
  return `${job}/${id}` as RunRef;
}

export function refOf({ job, id }: RunName): RunRef {
  return runRef(job, id);
}

/** A run id that several jobs have reported: nobody knows which run is meant until the caller says so. */
import { ApiError } from './problem-response.ts';

/** So many jobs are told by name. */
const NAMED_JOBS = 5;

/** @param runs those with the id that the caller may see @param remedy what to do, as a sentence */
export function ambiguousRun(id: string, runs: readonly { readonly job: string }[], remedy: string): ApiError {
  const jobs = runs.map(({ job }) => job);
  const named = jobs.slice(0, NAMED_JOBS).join(', ');
  const more = jobs.length > NAMED_JOBS ? ' and others' : '';
  return new ApiError('run_ambiguous', `Several jobs have reported a run ${id}: ${named}${more}. ${remedy}`);
}

/** A run id that several jobs have reported: nobody knows which run is meant until the caller says so. */
import type { Problem } from '#protocol/problem';
import { ApiError } from '../http/problem-response.ts';

/** So many jobs are told by name in the sentence. */
const NAMED_JOBS = 5;

export class AmbiguousRun extends ApiError {
  readonly #jobs: readonly string[];

  /** @param jobs those that have a run with the id, and that the caller may see @param remedy what to do, as a sentence */
  constructor(id: string, jobs: readonly string[], remedy: string) {
    const named = jobs.slice(0, NAMED_JOBS).join(', ');
    const more = jobs.length > NAMED_JOBS ? ' and others' : '';
    super('run_ambiguous', `Several jobs have reported a run ${id}: ${named}${more}. ${remedy}`);
    this.#jobs = jobs;
  }

  override get members(): Pick<Problem, 'jobs'> {
    return { jobs: [...this.#jobs] };
  }
}

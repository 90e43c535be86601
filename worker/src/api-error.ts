import type { Problem, ProblemCode } from '#protocol/problem';
import type { Actor } from '../shared/d1/audit.ts';

/** An error of the API. Thrown anywhere, turned into a response in one place. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly actor: Actor | null;

  /**
   * @param detail what failed and what to do, for the person who called
   * @param headers of the response
   * @param actor whose token it was, if the token itself is what was refused
   */
  constructor(
    code: ProblemCode,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
    actor: Actor | null = null,
  ) {
    super(detail);
    this.name = 'ApiError';
    this.code = code;
    this.headers = headers;
    this.actor = actor;
  }

  /** What the problem details have besides the members that all have. */
  get members(): Pick<Problem, 'jobs' | 'retry_after_ms'> {
    return {};
  }
}

/** How many jobs the message lists. */
const LISTED_JOBS = 5;

/** Several jobs have reported a run with this id. */
export class AmbiguousRun extends ApiError {
  readonly #jobs: readonly string[];

  /** @param jobs those with such a run that the caller may see @param remedy what to do, as a sentence */
  constructor(id: string, jobs: readonly string[], remedy: string) {
    const listed = jobs.slice(0, LISTED_JOBS).join(', ');
    const more = jobs.length > LISTED_JOBS ? ' and others' : '';
    super('run_ambiguous', `Several jobs have a run ${id}: ${listed}${more}. ${remedy}`);
    this.#jobs = jobs;
  }

  override get members(): Pick<Problem, 'jobs'> {
    return { jobs: [...this.#jobs] };
  }
}

/** Something could not be reached, or did not answer in time. The same call may succeed in a few seconds. */
export function unavailable(detail: string): ApiError {
  return new ApiError('unavailable', detail, { 'Retry-After': '5' });
}

export function databaseUnavailable(): ApiError {
  return unavailable('The database is unavailable. Try again.');
}

/** The object that was called still runs the code of before a deploy, which can't do this. */
export function updating(): ApiError {
  return unavailable('The control plane is being updated. Try again in a few minutes.');
}

/** Too many wrappers connect at the same time. This one is told when to try again. */
export class Busy extends ApiError {
  readonly #pauseMs: number;

  constructor(pauseMs: number) {
    super('busy', 'Many wrappers are connecting. Try again after `retry_after_ms`.', {
      'Retry-After': String(Math.ceil(pauseMs / 1000)),
    });
    this.#pauseMs = pauseMs;
  }

  override get members(): Pick<Problem, 'retry_after_ms'> {
    return { retry_after_ms: this.#pauseMs };
  }
}

/** The Worker was deployed before the database's schema. */
export function schemaMissing(): ApiError {
  return new ApiError(
    'unavailable',
    'The database lacks the schema of this version. Apply the migrations with `npm run deploy` or `wrangler d1 migrations apply DB --remote`.',
  );
}

import { type Problem, type ProblemCode, problemStatus } from '#protocol/problem';
import type { Actor } from '../../shared/d1/audit.ts';

/** An error of the API on its way to the client. Thrown by routes, turned into a response in one place. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly actor: Actor | null;

  /**
   * @param detail what failed and what to do, for the person who called
   * @param headers that go with an answer of this status
   * @param actor whose token it was, where the call comes to nothing because of the token itself
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

  /** What this problem has beside what all have. */
  get members(): Pick<Problem, 'jobs'> {
    return {};
  }
}

/** A Worker was deployed before its database's schema. */
export function schemaMissing(): ApiError {
  return new ApiError(
    'unavailable',
    'The database lacks the schema of this version. Apply the migrations: `npm run deploy` does so, or `wrangler d1 migrations apply DB --remote`.',
  );
}

export function problemResponse(error: ApiError, requestId: string): Response {
  const status = problemStatus(error.code);
  const problem: Problem = {
    type: 'about:blank',
    title: error.code.replaceAll('_', ' '),
    status,
    code: error.code,
    detail: error.message,
    request_id: requestId,
    ...error.members,
  };
  const headers = new Headers({
    ...error.headers,
    'Content-Type': 'application/problem+json',
  });
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer realm="leash"');
  return Response.json(problem, { status, headers });
}

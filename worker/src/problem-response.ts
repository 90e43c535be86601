import { type Problem, type ProblemCode, problemStatus } from '#protocol/problem';

/** An error of the API on its way to the client. Thrown by routes, turned into a response in one place. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param detail what failed and what to do, for the person who called
   * @param headers that go with an answer of this status
   */
  constructor(code: ProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = 'ApiError';
    this.code = code;
    this.headers = headers;
  }
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
  };
  const headers = new Headers({
    ...error.headers,
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
  });
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer realm="leash"');
  return Response.json(problem, { status, headers });
}

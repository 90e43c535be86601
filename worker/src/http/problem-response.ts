import { type Problem, problemStatus } from '#protocol/problem';
import type { ApiError } from '../api-error.ts';

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

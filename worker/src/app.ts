/** The HTTPS API: what every request goes through, and what an error becomes. The calls themselves are in `routes/`. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ulid } from 'ulid';
import { KIB } from '#protocol/limits';
import { log } from '../log.ts';
import type { Operation } from './api/operation.ts';
import { serve } from './api/serve.ts';
import type { AppEnv } from './context.ts';
import { ApiError, problemResponse } from './problem-response.ts';
import { API_OPERATIONS, BASE, ROOT_OPERATIONS } from './routes/operations.ts';

const MAX_BODY_BYTES = 64 * KIB;

export const app = new Hono<AppEnv>()
  // No middleware that sets headers: it would turn a 101 into a 500.
  .use(async (c, next) => {
    c.set('requestId', ulid());
    await next();
  })
  .use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ApiError('too_large', `A body has at most ${MAX_BODY_BYTES} bytes.`);
      },
    }),
  );

addOperations('', ROOT_OPERATIONS);
addOperations(BASE, API_OPERATIONS);

app.notFound((c) => {
  const error = new ApiError('not_found', `There is nothing at ${c.req.method} ${c.req.path}.`);
  return problemResponse(error, c.get('requestId'));
});

app.onError((error, c) => {
  const requestId = c.get('requestId');
  const fields = { request: requestId, method: c.req.method, path: c.req.path };
  if (error instanceof ApiError) {
    log.warn('request_refused', { ...fields, code: error.code, detail: error.message });
    return problemResponse(error, requestId);
  }
  log.error('request_failed', error, fields);
  if (isD1Error(error)) {
    return problemResponse(new ApiError('unavailable', 'The database does not answer. Try again.'), requestId);
  }
  return problemResponse(
    new ApiError('internal', 'The control plane failed. Try again; its logs say more about this request id.'),
    requestId,
  );
});

function addOperations(base: string, operations: readonly Operation[]): void {
  const methods = new Map<string, string[]>();
  for (const operation of operations) {
    const path = base + operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on(operation.method.toUpperCase(), path, (c) => serve(c, operation));
    methods.set(path, [...(methods.get(path) ?? []), operation.method.toUpperCase()]);
  }
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      const error = new ApiError(
        'method_not_allowed',
        `${c.req.method} does not go here: use ${allowed.join(' or ')}.`,
      );
      const response = problemResponse(error, c.get('requestId'));
      response.headers.set('Allow', allowed.join(', '));
      return response;
    });
  }
}

/** D1's failures have no class of their own: their message is what tells. */
function isD1Error(error: Error): boolean {
  return error.message.startsWith('D1_ERROR');
}

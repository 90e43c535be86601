/** The HTTPS API: what every request goes through, and what an error becomes. The calls themselves are in `routes/`. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ulid } from 'ulid';
import { REQUEST_ID_HEADER } from '#protocol/api';
import { KIB } from '#protocol/limits';
import { isSchemaError } from '../../shared/d1/schema-version.ts';
import { log } from '../../shared/log.ts';
import { ApiError, schemaMissing } from '../api-error.ts';
import { browserPage } from './browser-page.ts';
import type { AppContext, AppEnv } from './context.ts';
import type { Operation } from './operation.ts';
import { API_OPERATIONS, BASE, ROOT_OPERATIONS } from './operations.ts';
import { problemResponse } from './problem-response.ts';
import { limitSignIn } from './rate-limit.ts';
import { auditDenied } from './refusals.ts';
import { serve } from './serve.ts';

const MAX_LOGGED_PATH_CHARS = 200;
const MAX_BODY_BYTES = 64 * KIB;

export const app = new Hono<AppEnv>()
  .use(async (c, next) => {
    const startedAt = Date.now();
    // Never the client's: two calls must not share one, and what stands in the logs must be ours.
    c.set('requestId', ulid(startedAt));
    await next();
    // The headers of an upgrade can't be changed: trying turns the 101 into a 500.
    if (c.res.status !== 101) completeHeaders(c);
    logRequest(c, Date.now() - startedAt);
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

app.notFound(async (c) => {
  const page = c.req.path.startsWith(`${BASE}/`) ? null : await browserPage(c);
  if (page !== null) return page;
  const error = new ApiError('not_found', `There is nothing at ${c.req.method} ${c.req.path}.`);
  return problemResponse(error, c.get('requestId'));
});

app.onError(async (error, c) => {
  const requestId = c.get('requestId');
  if (error instanceof ApiError) {
    const refusal = await limitSignIn(c, error);
    auditDenied(c, refusal);
    c.set('refusal', refusal);
    return problemResponse(refusal, requestId);
  }
  log.error('request_failed', error, { request: requestId });
  if (isSchemaError(error)) return problemResponse(schemaMissing(), requestId);
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
    app.on(operation.method.toUpperCase(), path, (c) => {
      c.set('route', base + operation.path);
      return serve(c, operation);
    });
    methods.set(path, [...(methods.get(path) ?? []), operation.method.toUpperCase()]);
  }
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      const error = new ApiError(
        'method_not_allowed',
        `${c.req.method} does not go here: use ${allowed.join(' or ')}.`,
        { Allow: allowed.join(', ') },
      );
      return problemResponse(error, c.get('requestId'));
    });
  }
}

/** What is on every answer. Only the page's files say themselves how long they may be kept. */
function completeHeaders(c: AppContext): void {
  const { headers } = c.res;
  headers.set(REQUEST_ID_HEADER, c.get('requestId'));
  headers.set('X-Content-Type-Options', 'nosniff');
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'no-store');
}

/** One line for each call. A monitor's look at our health is no news as long as there is any. */
function logRequest(c: AppContext, ms: number): void {
  const route = c.get('route');
  if (route === '/healthz' && c.res.status === 200) return;
  const refusal = c.get('refusal');
  const fields = {
    request: c.get('requestId'),
    method: c.req.method,
    // A path that is none of ours is a stranger's text: bounded.
    path: route ?? c.req.path.slice(0, MAX_LOGGED_PATH_CHARS),
    status: c.res.status,
    ms,
    token: c.get('caller')?.token.id,
    ray: c.req.header('CF-Ray'),
  };
  if (refusal === undefined) log.info('request', fields);
  else log.warn('request', { ...fields, code: refusal.code, detail: refusal.message });
}

/** D1's failures have no class of their own: their message is what tells. */
function isD1Error(error: Error): boolean {
  return error.message.startsWith('D1_ERROR');
}

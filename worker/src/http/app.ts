/** The HTTPS API: what all requests have in common, and how errors become responses. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ulid } from 'ulid';
import { REQUEST_ID_HEADER } from '#protocol/api';
import { KIB } from '#protocol/limits';
import { d1Failure } from '../../shared/d1/failure.ts';
import { log } from '../../shared/log.ts';
import { isMissingMethod } from '../../shared/rpc/missing-method.ts';
import { ApiError, databaseUnavailable, schemaMissing, updating } from '../api-error.ts';
import type { AppContext, AppEnv } from './context.ts';
import { dashboardPage } from './dashboard-page.ts';
import { auditDenied } from './denied-requests.ts';
import type { Operation } from './operation.ts';
import { API_OPERATIONS, BASE, ROOT_OPERATIONS } from './operations.ts';
import { problemResponse } from './problem-response.ts';
import { limitSignIn } from './rate-limit.ts';
import { KILL_LINK_PATH, showKillLink, useKillLink } from './routes/kill-links.ts';
import { serve } from './serve.ts';

const MAX_LOGGED_PATH_CHARS = 200;
const MAX_BODY_BYTES = 64 * KIB;

export const app = new Hono<AppEnv>()
  .use(async (c, next) => {
    const startedAt = Date.now();
    // Never the client's: ids must be unique, and logs must not contain a client's text.
    c.set('requestId', ulid(startedAt));
    c.set('callApi', (request) => app.fetch(request, c.env, c.executionCtx));
    await next();
    // The headers of an upgrade can't be changed: trying turns the 101 into a 500.
    if (c.res.status !== 101) completeHeaders(c);
    logRequest(c, Date.now() - startedAt);
  })
  .use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ApiError('too_large', `The body must not exceed ${MAX_BODY_BYTES} bytes.`);
      },
    }),
  );

addOperations('', ROOT_OPERATIONS);
addOperations(BASE, API_OPERATIONS);
app.get(KILL_LINK_PATH, showKillLink).post(KILL_LINK_PATH, useKillLink);

app.notFound(async (c) => {
  const page = c.req.path.startsWith(`${BASE}/`) ? null : await dashboardPage(c);
  if (page !== null) return page;
  const error = new ApiError('not_found', `No route matches ${c.req.method} ${c.req.path}.`);
  return problemResponse(error, c.get('requestId'));
});

app.onError(async (error, c) => {
  const requestId = c.get('requestId');
  if (error instanceof ApiError) {
    const apiError = await limitSignIn(c, error);
    auditDenied(c, apiError);
    c.set('error', apiError);
    return problemResponse(apiError, requestId);
  }
  log.error('request_failed', error, { request: requestId });
  const failure = d1Failure(error);
  if (failure === 'schema') return problemResponse(schemaMissing(), requestId);
  if (failure === 'unavailable' || failure === 'full') return problemResponse(databaseUnavailable(), requestId);
  if (isMissingMethod(error)) return problemResponse(updating(), requestId);
  return problemResponse(
    new ApiError(
      'internal',
      'Internal error. Try again. The logs of the control plane have details under this request id.',
    ),
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
        `Method ${c.req.method} is not allowed; use ${allowed.join(' or ')}.`,
        { Allow: allowed.join(', ') },
      );
      return problemResponse(error, c.get('requestId'));
    });
  }
}

/** The headers of every response. Only the dashboard's files have a `Cache-Control` of their own. */
function completeHeaders(c: AppContext): void {
  const { headers } = c.res;
  headers.set(REQUEST_ID_HEADER, c.get('requestId'));
  headers.set('X-Content-Type-Options', 'nosniff');
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'no-store');
}

/** One line for each call, except for health checks that succeed. */
function logRequest(c: AppContext, ms: number): void {
  const route = c.get('route');
  if (route === '/healthz' && c.res.status === 200) return;
  const error = c.get('error');
  // One line for a crowd, not one for each wrapper: see admit.ts.
  if (error?.code === 'busy') return;
  const fields = {
    request: c.get('requestId'),
    method: c.req.method,
    // A path without a route is any text that a client sent.
    path: route ?? c.req.path.slice(0, MAX_LOGGED_PATH_CHARS),
    status: c.res.status,
    ms,
    token: c.get('caller')?.token.id,
    ray: c.req.header('CF-Ray'),
  };
  if (error === undefined) log.info('request', fields);
  else log.warn('request', { ...fields, code: error.code, detail: error.message });
}

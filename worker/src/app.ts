/** The HTTPS API: what every request goes through, and where each route is. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ulid } from 'ulid';
import { KIB } from '#protocol/limits';
import { log } from '../log.ts';
import { authenticate } from './authentication.ts';
import type { AppEnv } from './context.ts';
import { ApiError, problemResponse } from './problem-response.ts';
import { jobRoutes } from './routes/jobs.ts';
import { killRoutes } from './routes/kill.ts';
import { runRoutes } from './routes/runs.ts';
import { sessionRoutes } from './routes/session.ts';
import { socketRoutes } from './routes/sockets.ts';
import { tokenRoutes } from './routes/tokens.ts';

const MAX_BODY_BYTES = 64 * KIB;

const authenticated = new Hono<AppEnv>()
  .use(async (c, next) => {
    c.set('caller', await authenticate(c.req.raw, c.env, Date.now()));
    await next();
  })
  // No middleware that sets headers here: it would turn a 101 into a 500.
  .route('/', socketRoutes)
  .route('/', killRoutes)
  .route('/', jobRoutes)
  .route('/', runRoutes)
  .route('/', tokenRoutes);

export const app = new Hono<AppEnv>()
  .use(async (c, next) => {
    c.set('requestId', c.req.header('CF-Ray') ?? ulid());
    await next();
  })
  .use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ApiError('too_large', `A body has at most ${MAX_BODY_BYTES} bytes.`);
      },
    }),
  )
  .get('/healthz', (c) => c.json({ status: 'ok' }))
  .route('/api/v1', sessionRoutes)
  .route('/api/v1', authenticated);

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

/** D1's failures have no class of their own: their message is what tells. */
function isD1Error(error: Error): boolean {
  return error.message.startsWith('D1_ERROR');
}

/** `/session`: the page signs in with a token, asks what it may do, and signs out. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import type * as v from 'valibot';
import { type SessionBody, SignIn } from '#protocol/api';
import { sha256 } from '../../hash.ts';
import { auditEntry } from '../audit-entry.ts';
import { authenticate, requireOwnOrigin, resolveToken } from '../authentication.ts';
import type { AppEnv } from '../context.ts';
import { recordAudit } from '../db/audit.ts';
import { deleteSession, insertSession } from '../db/sessions.ts';
import type { TokenRecord } from '../db/tokens.ts';
import { readBody } from '../input.ts';
import { readSessionCookie, SESSION_SECONDS, sessionCookie } from '../session-cookie.ts';

export const sessionRoutes = new Hono<AppEnv>()
  .post('/session', async (c) => {
    const { token: secret } = await readBody(c, SignIn);
    const now = Date.now();
    const token = await resolveToken(c.env, sha256(secret.trim()), now);
    requireOwnOrigin(c.req.raw, { token, by: 'cookie' });
    const value = randomBytes(32).toString('base64url');
    const expiresAt = Math.min(now + SESSION_SECONDS * 1000, token.expiresAt ?? Number.POSITIVE_INFINITY);
    await c.env.DB.batch([
      insertSession(c.env.DB, sha256(value), token.hash, expiresAt),
      recordAudit(c.env.DB, auditEntry(c, { at: now, actor: token.id, action: 'signed_in', subject: token.id })),
    ]);
    c.header('Set-Cookie', sessionCookie(c.req.raw, value));
    return c.json(sessionBody(token));
  })
  .get('/session', async (c) => {
    const { token } = await authenticate(c.req.raw, c.env, Date.now());
    return c.json(sessionBody(token));
  })
  .delete('/session', async (c) => {
    const caller = await authenticate(c.req.raw, c.env, Date.now());
    requireOwnOrigin(c.req.raw, caller);
    const { token } = caller;
    const value = readSessionCookie(c.req.raw);
    if (value !== null) {
      await c.env.DB.batch([
        deleteSession(c.env.DB, sha256(value)),
        recordAudit(c.env.DB, auditEntry(c, { actor: token.id, action: 'signed_out', subject: token.id })),
      ]);
    }
    c.header('Set-Cookie', sessionCookie(c.req.raw, null));
    return c.body(null, 204);
  });

function sessionBody(token: TokenRecord): v.InferOutput<typeof SessionBody> {
  return {
    session: {
      name: token.name,
      scopes: [...token.scopes],
      jobs: token.jobs,
      expires_at: token.expiresAt === null ? null : new Date(token.expiresAt).toISOString(),
    },
  };
}

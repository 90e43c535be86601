/** `/session`: the dashboard signs in with a token, asks what it may do, and signs out. */
import { randomBytes } from 'node:crypto';
import type * as v from 'valibot';
import { SessionBody, SignIn } from '#protocol/api';
import { recordAudit } from '../../../shared/d1/audit.ts';
import { markStale } from '../../../shared/d1/open-sockets.ts';
import { deleteSession, insertSession } from '../../../shared/d1/sessions.ts';
import type { TokenRecord } from '../../../shared/d1/tokens.ts';
import { sha256 } from '../../../shared/hash.ts';
import { auditEntry } from '../../audit-entry.ts';
import { closeSockets } from '../../revocation.ts';
import { requireOwnOrigin, resolveToken } from '../authentication.ts';
import { callOrigin } from '../client-address.ts';
import { empty, json, openOperation, operation } from '../operation.ts';
import { SESSION_SECONDS, sessionCookie } from '../session-cookie.ts';

export const sessionOperations = [
  openOperation({
    id: 'signIn',
    method: 'post',
    path: '/session',
    summary: 'Sign the dashboard in with a token',
    body: SignIn,
    responses: { 200: json(SessionBody, 'Signed in. The cookie is set.') },
    errors: ['unauthenticated', 'token_expired', 'token_rotated', 'rate_limited'],
    handle: async ({ c, body }) => {
      const now = Date.now();
      const token = await resolveToken(c.env, sha256(body.token.trim()), now);
      requireOwnOrigin(c.req.raw, { by: 'cookie' });
      const value = randomBytes(32).toString('base64url');
      const expiresAt = Math.min(
        now + SESSION_SECONDS * 1000,
        token.expiresAt ?? Number.POSITIVE_INFINITY,
        token.secretExpiresAt ?? Number.POSITIVE_INFINITY,
      );
      await c.env.DB.batch([
        insertSession(c.env.DB, sha256(value), token.hash, expiresAt),
        recordAudit(
          c.env.DB,
          auditEntry(callOrigin(c), { at: now, actor: token, action: 'signed_in', subject: token.id }),
        ),
      ]);
      c.header('Set-Cookie', sessionCookie(c.req.raw, value));
      return c.json(sessionBody(token));
    },
  }),
  operation({
    id: 'getSession',
    method: 'get',
    path: '/session',
    summary: 'Get the scopes of the caller',
    access: { kind: 'signed_in' },
    responses: { 200: json(SessionBody, 'The caller’s token.') },
    handle: ({ c, caller }) => c.json(sessionBody(caller.token)),
  }),
  operation({
    id: 'signOut',
    method: 'delete',
    path: '/session',
    summary: 'Sign the dashboard out',
    access: { kind: 'signed_in' },
    responses: {
      204: empty('Signed out. The session has ended, and the sockets opened with it are closed.'),
    },
    handle: async ({ c, caller }) => {
      const { token, session } = caller;
      if (session !== null) {
        const [, , marked] = await c.env.DB.batch([
          deleteSession(c.env.DB, session),
          recordAudit(c.env.DB, auditEntry(callOrigin(c), { actor: token, action: 'signed_out', subject: token.id })),
          markStale(c.env.DB, token.id, session),
        ]);
        await closeSockets(c, token.id, marked);
      }
      c.header('Set-Cookie', sessionCookie(c.req.raw, null));
      return c.body(null, 204);
    },
  }),
];

function sessionBody(token: TokenRecord): v.InferOutput<typeof SessionBody> {
  return {
    session: {
      name: token.name,
      scopes: [...token.scopes],
      jobs: token.jobs,
      machines: token.machines,
      expires_at: token.expiresAt === null ? null : new Date(token.expiresAt).toISOString(),
    },
  };
}

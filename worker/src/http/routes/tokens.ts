/** `/tokens`: create, rotate and revoke tokens. */
import { ulid } from 'ulid';
import * as v from 'valibot';
import { RotateToken, TokenBody, TokenList } from '#protocol/api';
import { NewToken } from '#protocol/new-token';
import { recordAudit } from '../../../shared/d1/audit.ts';
import { markStale } from '../../../shared/d1/open-sockets.ts';
import {
  deleteToken,
  findToken,
  insertToken,
  listTokens,
  rotateSecret,
  tokenResource,
} from '../../../shared/d1/tokens.ts';
import { sha256 } from '../../../shared/hash.ts';
import { ApiError } from '../../api-error.ts';
import { auditEntry } from '../../audit-entry.ts';
import { closeSockets } from '../../revocation.ts';
import { callOrigin } from '../client-address.ts';
import { pageOf } from '../list-page.ts';
import { empty, json, operation } from '../operation.ts';
import { cursor, limit } from '../parameters.ts';
import { newSecret } from '../secret.ts';

const TokenId = v.pipe(v.string(), v.regex(/^[0-9A-Z]{26}$/, 'must be a ULID'));

export const tokenOperations = [
  operation({
    id: 'listTokens',
    method: 'get',
    path: '/tokens',
    summary: 'List tokens, oldest first',
    access: { kind: 'full_admin' },
    query: { limit, cursor: cursor(TokenId) },
    responses: { 200: json(TokenList, 'A page of tokens, without their secrets.') },
    handle: async ({ c, query }) => {
      const rows = await listTokens(c.env.DB, query.cursor ?? '', query.limit + 1);
      const { page, next } = pageOf(rows, query.limit, ({ id }) => id);
      return c.json<v.InferOutput<typeof TokenList>>({ tokens: page.map(tokenResource), next_cursor: next });
    },
  }),
  operation({
    id: 'createToken',
    method: 'post',
    path: '/tokens',
    summary: 'Create a token',
    access: { kind: 'full_admin' },
    body: NewToken,
    responses: { 201: json(TokenBody, 'The token with its secret, which is not shown again.') },
    handle: async ({ c, caller, body }) => {
      const now = Date.now();
      const id = ulid(now);
      const secret = newSecret();
      const { name, scopes, jobs, machines, expires_at } = body;
      await c.env.DB.batch([
        ...insertToken(c.env.DB, id, sha256(secret), body, now),
        recordAudit(
          c.env.DB,
          auditEntry(callOrigin(c), {
            actor: caller.token,
            action: 'token_created',
            subject: id,
            detail: { name, scopes, jobs, machines, expires_at },
          }),
        ),
      ]);
      const expiresAt = expires_at === null ? null : Date.parse(expires_at);
      const token = tokenResource({ id, name, scopes, jobs, machines, createdAt: now, expiresAt, lastUsedAt: null });
      return c.json<v.InferOutput<typeof TokenBody>>({ token, secret }, 201);
    },
  }),
  operation({
    id: 'rotateToken',
    method: 'post',
    path: '/tokens/{id}/rotate',
    summary: 'Rotate the secret of a token',
    description:
      'Name and scopes do not change. The old secrets remain valid for `old_valid_seconds`; sockets and sessions that were opened with them end with them.',
    access: { kind: 'full_admin' },
    params: { id: TokenId },
    body: RotateToken,
    responses: { 200: json(TokenBody, 'The token with its new secret, which is not shown again.') },
    errors: ['unknown_token'],
    handle: async ({ c, caller, params, body }) => {
      const { id } = params;
      const secret = newSecret();
      const oldEndsAt = Date.now() + body.old_valid_seconds * 1000;
      const detail = { old_ends_at: new Date(oldEndsAt).toISOString() };
      const results = await c.env.DB.batch([
        recordAudit(
          c.env.DB,
          auditEntry(callOrigin(c), { actor: caller.token, action: 'token_rotated', subject: id, detail }),
          { table: 'tokens', id },
        ),
        ...rotateSecret(c.env.DB, id, sha256(secret), oldEndsAt),
        markStale(c.env.DB, id),
      ]);
      const token = await findToken(c.env.DB, id);
      if (token === null) throw unknownToken(id);
      await closeSockets(c, id, results.at(-1));
      return c.json<v.InferOutput<typeof TokenBody>>({ token: tokenResource(token), secret });
    },
  }),
  operation({
    id: 'deleteToken',
    method: 'delete',
    path: '/tokens/{id}',
    summary: 'Revoke a token',
    description:
      'The token is refused from now on. Sockets that were opened with it are closed: links of wrappers, viewers.',
    access: { kind: 'full_admin' },
    params: { id: TokenId },
    responses: { 204: empty('Revoked.') },
    errors: ['unknown_token'],
    handle: async ({ c, caller, params }) => {
      const { id } = params;
      // The audit entry first: it is written only if the token exists.
      const results = await c.env.DB.batch([
        recordAudit(
          c.env.DB,
          auditEntry(callOrigin(c), { actor: caller.token, action: 'token_deleted', subject: id }),
          { table: 'tokens', id },
        ),
        ...deleteToken(c.env.DB, id),
        markStale(c.env.DB, id),
      ]);
      if (results[0]?.meta.changes === 0) throw unknownToken(id);
      await closeSockets(c, id, results.at(-1));
      return c.body(null, 204);
    },
  }),
];

function unknownToken(id: string): ApiError {
  return new ApiError('unknown_token', `No token has the id ${id}.`);
}

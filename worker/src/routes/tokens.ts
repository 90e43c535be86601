/** `/tokens`: give rights narrowly, and take them back. */
import { randomBytes } from 'node:crypto';
import { ulid } from 'ulid';
import * as v from 'valibot';
import { NewToken, TokenBody, TokenList } from '#protocol/api';
import { sha256 } from '../../hash.ts';
import { empty, json, operation } from '../api/operation.ts';
import { cursor, limit } from '../api/parameters.ts';
import { auditEntry } from '../audit-entry.ts';
import { recordAudit } from '../db/audit.ts';
import { deleteToken, insertToken, listTokens, tokenResource } from '../db/tokens.ts';
import { pageOf } from '../page.ts';
import { ApiError } from '../problem-response.ts';

const TokenId = v.pipe(v.string(), v.regex(/^[0-9A-Z]{26}$/, 'a token id is a ULID'));

/** Makes a leaked token easy to find for secret scanners. */
const SECRET_PREFIX = 'leash_';

export const tokenOperations = [
  operation({
    id: 'listTokens',
    method: 'get',
    path: '/tokens',
    summary: 'All tokens, oldest first, without their secrets',
    access: { kind: 'full_admin' },
    query: { limit, cursor: cursor(TokenId) },
    answers: { 200: json(TokenList, 'Tokens.') },
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
    summary: 'Make a token',
    access: { kind: 'full_admin' },
    body: NewToken,
    answers: { 201: json(TokenBody, 'The token with its secret, which is never shown again.') },
    handle: async ({ c, caller, body }) => {
      const now = Date.now();
      const id = ulid(now);
      const secret = SECRET_PREFIX + randomBytes(32).toString('base64url');
      const { name, scopes, jobs, machines, expires_at } = body;
      await c.env.DB.batch([
        insertToken(c.env.DB, id, sha256(secret), body, now),
        recordAudit(
          c.env.DB,
          auditEntry(c, {
            actor: caller.token.id,
            action: 'token_created',
            subject: id,
            detail: { name, scopes, jobs, machines, expires_at },
          }),
        ),
      ]);
      const expiresAt = expires_at === null ? null : Date.parse(expires_at);
      const token = tokenResource({ id, name, scopes, jobs, machines, createdAt: now, expiresAt });
      return c.json<v.InferOutput<typeof TokenBody>>({ token, secret }, 201);
    },
  }),
  operation({
    id: 'deleteToken',
    method: 'delete',
    path: '/tokens/{id}',
    summary: 'Revoke a token',
    access: { kind: 'full_admin' },
    params: { id: TokenId },
    answers: { 204: empty('It is worth nothing any more.') },
    problems: ['unknown_token'],
    handle: async ({ c, caller, params }) => {
      const { id } = params;
      // The entry first: it is written only while the token is there.
      const [, deleted] = await c.env.DB.batch([
        recordAudit(c.env.DB, auditEntry(c, { actor: caller.token.id, action: 'token_deleted', subject: id }), {
          table: 'tokens',
          id,
        }),
        deleteToken(c.env.DB, id),
      ]);
      if (deleted?.meta.changes === 0) throw new ApiError('unknown_token', `There is no token ${id}.`);
      return c.body(null, 204);
    },
  }),
];

/** `/tokens`: give rights narrowly, and take them back. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { ulid } from 'ulid';
import * as v from 'valibot';
import { NewToken, type TokenBody, type TokenList } from '#protocol/api';
import { sha256 } from '../../hash.ts';
import { auditEntry } from '../audit-entry.ts';
import { requireFullAdmin, requireOwnOrigin } from '../authentication.ts';
import type { AppEnv } from '../context.ts';
import { recordAudit } from '../db/audit.ts';
import { deleteToken, insertToken, listTokens, tokenResource } from '../db/tokens.ts';
import { readBody, readLimit, readQuery, readValue } from '../input.ts';
import { ApiError } from '../problem-response.ts';

const TokenId = v.pipe(v.string(), v.regex(/^[0-9A-Z]{26}$/, 'a token id is a ULID'));

/** Makes a leaked token easy to find for secret scanners. */
const SECRET_PREFIX = 'leash_';

export const tokenRoutes = new Hono<AppEnv>()
  .get('/tokens', async (c) => {
    requireFullAdmin(c.get('caller').token);
    const limit = readLimit(c);
    const tokens = await listTokens(c.env.DB, readQuery(c, 'cursor', TokenId) ?? '', limit + 1);
    const page = tokens.slice(0, limit);
    const next = tokens.length > limit ? (page.at(-1)?.id ?? null) : null;
    return c.json<v.InferOutput<typeof TokenList>>({ tokens: page.map(tokenResource), next_cursor: next });
  })
  .post('/tokens', async (c) => {
    const caller = c.get('caller');
    requireFullAdmin(caller.token);
    requireOwnOrigin(c.req.raw, caller);
    const request = await readBody(c, NewToken);
    const now = Date.now();
    const id = ulid(now);
    const secret = SECRET_PREFIX + randomBytes(32).toString('base64url');
    const { name, scopes, jobs, machines, expires_at } = request;
    await c.env.DB.batch([
      insertToken(c.env.DB, id, sha256(secret), request, now),
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
  })
  .delete('/tokens/:id', async (c) => {
    const caller = c.get('caller');
    requireFullAdmin(caller.token);
    requireOwnOrigin(c.req.raw, caller);
    const id = readValue(TokenId, c.req.param('id'), 'id');
    // The entry first: it is written only while the token is there.
    const [, deleted] = await c.env.DB.batch([
      recordAudit(c.env.DB, auditEntry(c, { actor: caller.token.id, action: 'token_deleted', subject: id }), {
        table: 'tokens',
        id,
      }),
      deleteToken(c.env.DB, id),
    ]);
    if (deleted?.meta.changes === 0) throw new ApiError('not_found', `There is no token ${id}.`);
    return c.body(null, 204);
  });

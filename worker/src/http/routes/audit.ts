/** `GET /audit`: who did what, from where and when, and which requests were denied. */
import * as v from 'valibot';
import { AuditAction, AuditList } from '#protocol/api';
import { listAudit } from '../../../shared/d1/audit.ts';
import { json, operation } from '../operation.ts';
import { cursor, limit, wholeNumber } from '../parameters.ts';

const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

export const auditOperations = [
  operation({
    id: 'listAudit',
    method: 'get',
    path: '/audit',
    summary: 'List the audit log, newest first',
    description:
      'Kills, changes of tokens, sign-ins, sign-outs and denied requests. Entries are in the order in which they were stored, so paging is stable while entries are added. A page is chosen from at most 10,000 entries, so it may have fewer than `limit`, even none, and a `next_cursor` all the same.',
    access: { kind: 'full_admin' },
    query: {
      actor: v.optional(v.pipe(Name, v.description('A token’s id.'))),
      action: v.optional(AuditAction),
      subject: v.optional(v.pipe(Name, v.description('A job, a token’s id, or an `operationId`.'))),
      limit,
      cursor: cursor(wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    },
    responses: { 200: json(AuditList, 'A page of entries.') },
    handle: async ({ c, query }) => {
      const { actor, action, subject, cursor: before } = query;
      const { entries, next } = await listAudit(c.env.DB, { actor, action, subject, before }, query.limit);
      return c.json<v.InferOutput<typeof AuditList>>({
        audit: [...entries],
        next_cursor: next === null ? null : String(next),
      });
    },
  }),
];

import type { AppContext } from './context.ts';
import type { AuditEntry } from './db/audit.ts';

/** What a call did, with where it came from. */
export function auditEntry(
  c: AppContext,
  deed: Pick<AuditEntry, 'actor' | 'action' | 'subject'> & Partial<Pick<AuditEntry, 'at' | 'detail'>>,
): AuditEntry {
  return {
    at: Date.now(),
    detail: {},
    ...deed,
    address: c.req.header('CF-Connecting-IP') ?? null,
    requestId: c.get('requestId'),
  };
}

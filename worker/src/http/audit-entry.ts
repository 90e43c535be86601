import type { AuditEntry } from '../../shared/d1/audit.ts';
import { clientAddress } from './client-address.ts';
import type { AppContext } from './context.ts';

/** What a call did, with where it came from. */
export function auditEntry(
  c: AppContext,
  deed: Pick<AuditEntry, 'actor' | 'action' | 'subject'> & Partial<Pick<AuditEntry, 'at' | 'detail'>>,
): AuditEntry {
  return {
    at: Date.now(),
    detail: {},
    ...deed,
    // Of a whole record nothing else gets into the entry.
    actor: { id: deed.actor.id, name: deed.actor.name },
    address: clientAddress(c),
    requestId: c.get('requestId'),
  };
}

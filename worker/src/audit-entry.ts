import type { AuditEntry } from '../shared/d1/audit.ts';

/** Where a call came from, and its name in the logs. */
export interface CallOrigin {
  readonly address: string | null;
  readonly requestId: string;
}

/** What a call did, with where it came from. */
export function auditEntry(
  { address, requestId }: CallOrigin,
  change: Pick<AuditEntry, 'actor' | 'action' | 'subject'> & Partial<Pick<AuditEntry, 'at' | 'detail'>>,
): AuditEntry {
  return {
    at: Date.now(),
    detail: {},
    ...change,
    // A token's record has more, which must not get into the entry.
    actor: { id: change.actor.id, name: change.actor.name },
    address,
    requestId,
  };
}

/** A kill, and its audit entry, as a request asks for it. */
import { ulid } from 'ulid';
import type { Kill, KillRequest } from '#protocol/api';
import { showInvisible } from '#protocol/invisible-characters';
import type { AuditEntry } from '../../shared/d1/audit.ts';
import { readSettings } from '../../shared/settings.ts';
import { auditEntry } from '../audit-entry.ts';
import type { KillCall } from './kill-call.ts';

/** The kills that one call makes. */
interface Batch {
  readonly id: string;
  /** Ids go up in the order in which they are made. */
  newKillId(now: number): string;
}

const NO_BATCH = { id: null, newKillId: ulid };

export function newKill(
  { env, token, requestId }: KillCall,
  job: string,
  request: KillRequest,
  { id: batch, newKillId }: Batch | typeof NO_BATCH = NO_BATCH,
): Kill {
  const now = Date.now();
  return {
    id: newKillId(now),
    job,
    kind: 'kill',
    state: 'queued',
    run: request.run ?? null,
    instance: request.instance ?? null,
    machine: request.machine ?? null,
    signal: request.signal ?? null,
    grace_ms: request.grace_seconds === undefined ? null : Math.round(request.grace_seconds * 1000),
    include: request.include ?? null,
    reason: request.reason ?? null,
    // A token from before names were checked may have invisible characters in its name.
    requested_by: showInvisible(token.name),
    request_id: requestId,
    batch,
    requested_at: new Date(now).toISOString(),
    expires_at: new Date(now + readSettings(env).killTtlMs).toISOString(),
    stored_ms: null,
    targets: [],
    found_nothing: false,
    seq: 0,
  };
}

export function killAudit(call: KillCall, kill: Kill): AuditEntry {
  const { id, job, run, instance, machine, signal, grace_ms, include, reason } = kill;
  return auditEntry(call, {
    at: Date.parse(kill.requested_at),
    actor: call.token,
    action: 'kill',
    subject: job,
    detail: { kill: id, run, instance, machine, signal, grace_ms, include, reason },
  });
}

/** A kill, and its audit entry, as a request asks for it. */
import { ulid } from 'ulid';
import type { KillRequest } from '#protocol/api';
import type { NewKill } from '../../shared/d1/new-kills.ts';
import { readSettings } from '../../shared/settings.ts';
import type { KillCall } from './kill-call.ts';

/** The kills that one call makes. */
interface Batch {
  readonly id: string;
  /** Ids go up in the order in which they are made. */
  newKillId(now: number): string;
}

const NO_BATCH = { id: null, newKillId: ulid };

export function newKill(
  { env, requestId, address }: Pick<KillCall, 'env' | 'requestId' | 'address'>,
  job: string,
  request: KillRequest,
  { id: batch, newKillId }: Batch | typeof NO_BATCH = NO_BATCH,
): NewKill {
  const now = Date.now();
  const id = newKillId(now);
  const options = {
    run: request.run ?? null,
    instance: request.instance ?? null,
    machine: request.machine ?? null,
    signal: request.signal ?? null,
    grace_ms: request.grace_seconds === undefined ? null : Math.round(request.grace_seconds * 1000),
    include: request.include ?? null,
    reason: request.reason ?? null,
  };
  return {
    kill: {
      id,
      job,
      kind: 'kill',
      state: 'queued',
      ...options,
      requested_by: '',
      request_id: requestId,
      batch,
      requested_at: new Date(now).toISOString(),
      expires_at: new Date(now + readSettings(env).killTtlMs).toISOString(),
      stored_ms: null,
      targets: [],
      found_nothing: false,
      seq: 0,
    },
    audit: {
      id: ulid(now),
      at: now,
      action: 'kill',
      subject: job,
      detail: { kill: id, ...options },
      address,
      requestId,
    },
  };
}

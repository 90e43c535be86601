/** A kill, and its audit entry, as a request asks for it. */
import { ulid } from 'ulid';
import type { KillRequest } from '#protocol/api';
import type { NewKill } from './d1/new-kills.ts';
import { readSettings, type SettingVars } from './settings.ts';

/** The kills that one call makes. */
interface Batch {
  readonly id: string;
  /** Ids go up in the order in which they are made. */
  newKillId(now: number): string;
}

/** Where a request came from. */
interface Origin {
  readonly env: SettingVars;
  readonly requestId: string;
  readonly address: string | null;
}

const NO_BATCH = { id: null, newKillId: ulid };

export function newKill(
  { env, requestId, address }: Origin,
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

/**
 * Writes denied requests to the audit log. They are batched for a second, so that a thousand a second cost D1 one batch a
 * second, and counted, so that they cost a few rows an hour.
 *
 * The last batch is lost when an isolate ends: it is only a count.
 */

import { type DeniedRequests, MANY, recordDeniedRequests } from '../../shared/d1/audit.ts';
import { log } from '../../shared/log.ts';
import type { ApiError } from '../api-error.ts';
import { presentsCredential } from './authentication.ts';
import { clientAddress, network } from './client-address.ts';
import type { AppContext } from './context.ts';

const BATCH_MS = 1_000;
const MAX_PENDING = 25;
/** After this long, the request that was to write the batch must have been cancelled: another takes its place. */
const ABANDONED_MS = 10_000;

// Plain data, which the requests of an isolate may share. The request that starts a batch writes it.
let pending = new Map<string, DeniedRequests>();
let batchStartedAt: number | null = null;

/**
 * Records an error in the audit log if the caller was refused, not the input. Callers without credentials are skipped: a
 * dashboard that asks whether it is signed in, a monitor with a wrong address.
 */
export function auditDenied(c: AppContext, error: ApiError): void {
  if (!isDenial(error) || !presentsToken(c)) return;
  const now = Date.now();
  addPending(deniedRequest(c, error, now));
  if (batchStartedAt !== null && now - batchStartedAt < ABANDONED_MS) return;
  batchStartedAt = now;
  c.executionCtx.waitUntil(writeSoon(c.env.DB));
}

function isDenial({ code }: ApiError): boolean {
  switch (code) {
    case 'unauthenticated':
    case 'token_expired':
    case 'token_rotated':
    case 'forbidden':
    case 'wrong_origin':
    case 'rate_limited':
    case 'too_many_viewers':
      return true;
    default:
      return false;
  }
}

/** The operation that anyone may call has the credential in its body: sign-in. */
function presentsToken(c: AppContext): boolean {
  return c.get('operation')?.access.kind === 'anyone' || presentsCredential(c.req.raw);
}

function deniedRequest(c: AppContext, error: ApiError, now: number): DeniedRequests {
  const address = clientAddress(c);
  const actor = error.actor ?? c.get('caller')?.token ?? null;
  return {
    actor: actor && { id: actor.id, name: actor.name },
    subject: c.get('operation')?.id ?? MANY,
    code: error.code,
    address: address === null ? null : network(address),
    requestId: c.get('requestId'),
    count: 1,
    firstAt: now,
    lastAt: now,
  };
}

function addPending(refusal: DeniedRequests): void {
  const fits = pending.size < MAX_PENDING || pending.has(keyOf(refusal));
  const row = fits ? refusal : { ...refusal, actor: null, address: null, subject: MANY, code: MANY };
  const before = pending.get(keyOf(row));
  pending.set(keyOf(row), before === undefined ? row : { ...before, count: before.count + 1, lastAt: row.lastAt });
}

function keyOf({ actor, subject, code, address }: DeniedRequests): string {
  return JSON.stringify([actor?.id, subject, code, address]);
}

async function writeSoon(db: D1Database): Promise<void> {
  await scheduler.wait(BATCH_MS);
  const batch = pending;
  pending = new Map();
  batchStartedAt = null;
  try {
    await db.batch([...batch.values()].flatMap((refusals) => recordDeniedRequests(db, refusals)));
  } catch (error) {
    log.error('denied_requests_not_recorded', error, { entries: batch.size });
  }
}

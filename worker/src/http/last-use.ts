/** When a token was last used, to within ten minutes: one write in that time, and no response waits for it. */

import { type TokenRecord, updateLastUse } from '../../shared/d1/tokens.ts';
import { log } from '../../shared/log.ts';
import type { Caller } from './authentication.ts';
import type { AppContext } from './context.ts';

const RESOLUTION_MS = 10 * 60 * 1000;
const MAX_REMEMBERED = 10_000;

/** What this isolate has written: many simultaneous calls with one token cause one write. */
const recorded = new Map<string, number>();

/** The caller of a request is known: for its log line and its audit entry, and when the token was last used. */
export function recordCaller(c: AppContext, caller: Caller): Caller {
  c.set('caller', caller);
  recordLastUse(c, caller.token);
  return caller;
}

/** The first admin token is in no table. */
function recordLastUse(c: AppContext, token: TokenRecord): void {
  const now = Date.now();
  const before = now - RESOLUTION_MS;
  if (token.createdAt === 0 || (token.lastUsedAt ?? 0) > before || (recorded.get(token.id) ?? 0) > before) return;
  if (recorded.size >= MAX_REMEMBERED) recorded.clear();
  recorded.set(token.id, now);
  c.executionCtx.waitUntil(write(c.env.DB, token.id, now, before));
}

async function write(db: D1Database, token: string, now: number, before: number): Promise<void> {
  try {
    await updateLastUse(db, token, now, before).run();
  } catch (error) {
    recorded.delete(token);
    log.error('last_use_not_recorded', error, { token });
  }
}

/** Idempotency keys: what each was used for. */
import type { Kill } from '#protocol/api';
import { daysInMs } from '../settings.ts';
import { readKill } from './kills.ts';

/** How long a call with the same key is the same call. */
export const KEY_MS = daysInMs(1);

/** The client's name for its call, and a hash of the request. */
export interface IdempotencyKey {
  readonly actor: string;
  readonly key: string;
  readonly fingerprint: string;
}

export type EarlierUse =
  | { readonly kind: 'repeated'; readonly batch: string; readonly kills: Kill[] }
  | { readonly kind: 'key_reused' };

/** What a key was used for before; null if it is new. */
export async function earlierUse(
  db: D1Database,
  { actor, key, fingerprint }: IdempotencyKey,
): Promise<EarlierUse | null> {
  const row = await db
    .prepare('SELECT fingerprint, kill FROM idempotency WHERE actor = ? AND key = ?')
    .bind(actor, key)
    .first<{ fingerprint: string; kill: string }>();
  if (row === null) return null;
  if (row.fingerprint !== fingerprint) return { kind: 'key_reused' };
  const { results } = await db
    .prepare('SELECT resource FROM kills WHERE id = ?1 OR batch = ?1 ORDER BY id')
    .bind(row.kill)
    .all<{ resource: string }>();
  return { kind: 'repeated', batch: row.kill, kills: results.map(({ resource }) => readKill(resource)) };
}

export function purgeIdempotencyKeys(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM idempotency WHERE (actor, key) IN (
         SELECT actor, key FROM idempotency WHERE created_at < ? ORDER BY created_at LIMIT ?)`,
    )
    .bind(before, limit);
}

/** The kills of one call. */
import type { Kill } from '#protocol/api';
import { readKill } from './kills.ts';

/** The kills of a batch, as the index has them. */
export async function batchKills(db: D1Database, batch: string): Promise<Kill[]> {
  const { results } = await db
    .prepare('SELECT resource FROM kills WHERE batch = ? ORDER BY id')
    .bind(batch)
    .all<{ resource: string }>();
  return results.map(({ resource }) => readKill(resource));
}

/** Whether a kill of the batch has neither settled nor expired. */
export async function isBatchOpen(db: D1Database, batch: string): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 FROM kills WHERE batch = ? AND state IN ('queued', 'delivered') LIMIT 1")
    .bind(batch)
    .first();
  return row !== null;
}

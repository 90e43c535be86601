/** The queue: kills that the jobs' objects have yet to accept. */
import type { Kill } from '#protocol/api';
import type { IdempotencyKey } from './idempotency.ts';
import { readKill } from './kills.ts';

/** With the idempotency key of the call that made it; absent if an older Worker passes it on. */
export type QueuedKill = Kill & { readonly key?: IdempotencyKey | null };

/** How much of a job's queue is read at once: a query reads many queues. */
const PAGE = 20;

/** For each position, a page of the job's queue after that kill, oldest first; empty at the end. */
export async function unacceptedKills(
  db: D1Database,
  positions: readonly { readonly job: string; readonly after: string }[],
): Promise<QueuedKill[][]> {
  const { results } = await db
    .prepare(
      `SELECT position.key AS position, kills.key, kills.resource FROM json_each(?) AS position
       JOIN kills ON kills.id IN (
         SELECT id FROM kills INDEXED BY kills_open WHERE job = position.value ->> 'job'
           AND state IN ('queued', 'delivered') AND accepted = 0 AND id > position.value ->> 'after'
         ORDER BY id LIMIT ${PAGE})
       ORDER BY kills.id`,
    )
    .bind(JSON.stringify(positions))
    .all<{ position: number; key: string | null; resource: string }>();
  const pages: QueuedKill[][] = positions.map(() => []);
  for (const { position, key, resource } of results) {
    pages[position]?.push({ ...readKill(resource), key: key === null ? null : (JSON.parse(key) as IdempotencyKey) });
  }
  return pages;
}

/** The jobs with kills in the queue, longest waiting first. */
export async function jobsWithUnacceptedKills(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(`SELECT job FROM kills INDEXED BY kills_open WHERE state IN ('queued', 'delivered') AND accepted = 0
       GROUP BY job ORDER BY min(requested_at) LIMIT ?`)
    .bind(limit)
    .all<{ job: string }>();
  return results.map(({ job }) => job);
}

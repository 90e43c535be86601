/** The index of kills. */
import * as v from 'valibot';
import { Kill } from '#protocol/api';
import type { KillState } from '#protocol/kill';
import { firstUlid } from './first-ulid.ts';
import { matching } from './glob.ts';

/** Updates kills, and takes them out of the queue. For the jobs' objects. `kills` must not contain duplicates. */
export function updateKills(db: D1Database, kills: readonly Kill[]): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE kills SET accepted = 1, seq = latest.seq, resource = latest.resource
       FROM (SELECT value ->> 'id' AS id, value ->> 'seq' AS seq, value AS resource FROM json_each(?)) AS latest
       WHERE kills.id = latest.id AND kills.seq < latest.seq`,
    )
    .bind(JSON.stringify(kills));
}

/** Removes settled and expired kills from before a time that their objects have not removed, oldest first. */
export function purgeStaleKills(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      // Ids begin with the time, so the primary key finds the oldest.
      `DELETE FROM kills WHERE id IN (
         SELECT id FROM kills WHERE id < ? AND accepted = 1 AND resource ->> 'state' IN ('settled', 'expired')
         ORDER BY id LIMIT ?)`,
    )
    .bind(firstUlid(before), limit);
}

export async function findKill(db: D1Database, id: string): Promise<Kill | null> {
  const row = await db.prepare('SELECT resource FROM kills WHERE id = ?').bind(id).first<{ resource: string }>();
  return row === null ? null : readKill(row.resource);
}

export interface KillFilter {
  /** The jobs that the caller may read. */
  readonly jobGlob: string;
  readonly job?: string | undefined;
  readonly states?: readonly KillState[] | undefined;
  /** Only the kills of one call. */
  readonly batch?: string | undefined;
  /** Continue after the kill with this id. */
  readonly before?: string | undefined;
}

/** Kills may have thousands of targets, and a page of them would not fit into memory. */
const MAX_PAGE_CHARS = 4_000_000;

/** An entry of a list; `kill` is null if the page has no room for it. */
export interface ListedKill {
  readonly id: string;
  readonly kill: Kill | null;
}

/** Kills, newest first. The first always has room. */
export async function listKills(db: D1Database, filter: KillFilter, limit: number): Promise<ListedKill[]> {
  const { jobGlob, job, states, batch, before } = filter;
  const conditions: (readonly [condition: string, value: string])[] = [
    ...(jobGlob === '*' ? [] : [matching('job', jobGlob)]),
    ...(job === undefined ? [] : [['job = ?', job] as const]),
    ...(states === undefined ? [] : [['state IN (SELECT value FROM json_each(?))', JSON.stringify(states)] as const]),
    ...(batch === undefined ? [] : [['batch = ?', batch] as const]),
    ...(before === undefined ? [] : [['id < ?', before] as const]),
  ];
  // Few kills are open, however many there have been.
  const isOpenOnly =
    batch === undefined &&
    job === undefined &&
    states?.every((state) => state === 'queued' || state === 'delivered') === true;
  const from = isOpenOnly
    ? 'kills INDEXED BY kills_open'
    : batch === undefined
      ? 'kills'
      : 'kills INDEXED BY kills_by_batch';
  const all = [
    ...(isOpenOnly ? ["state IN ('queued', 'delivered')"] : []),
    ...conditions.map(([condition]) => condition),
  ];
  const where = all.length === 0 ? '' : `WHERE ${all.join(' AND ')}`;
  const { results } = await db
    .prepare(
      `SELECT position.id, kills.resource FROM (
         SELECT id, sum(length(resource)) OVER (ORDER BY id DESC) - length(resource) AS chars_before
         FROM (SELECT id, resource FROM ${from} ${where} ORDER BY id DESC LIMIT ?)) AS position
       LEFT JOIN kills ON kills.id = position.id AND chars_before < ${MAX_PAGE_CHARS}
       ORDER BY position.id DESC`,
    )
    .bind(...conditions.map(([, value]) => value), limit)
    .all<{ id: string; resource: string | null }>();
  return results.map(({ id, resource }) => ({ id, kill: resource === null ? null : readKill(resource) }));
}

export function readKill(resource: string): Kill {
  return v.parse(Kill, JSON.parse(resource));
}

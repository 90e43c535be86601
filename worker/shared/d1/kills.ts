/** The index of kills. */
import * as v from 'valibot';
import { Kill } from '#protocol/api';
import type { KillState } from '#protocol/kill';
import { firstUlid } from './first-ulid.ts';
import { matching } from './glob.ts';

/** Brings kills up to date, and takes them out of the queue. For the jobs' objects. Each may be there once only. */
export function updateKills(db: D1Database, kills: readonly Kill[]): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE kills SET accepted = 1, seq = latest.seq, resource = latest.resource
       FROM (SELECT value ->> 'id' AS id, value ->> 'seq' AS seq, value AS resource FROM json_each(?)) AS latest
       WHERE kills.id = latest.id AND kills.seq < latest.seq`,
    )
    .bind(JSON.stringify(kills));
}

/** Removes kills from before a time that are over, oldest first: what no object has removed. */
export function purgeLeftOverKills(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      // Their ids begin with the time: the primary key finds the oldest.
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
  /** Those that one call has made. */
  readonly batch?: string | undefined;
  /** Go on after the kill with this id. */
  readonly before?: string | undefined;
}

/** A kill may have thousands of targets, and a page of such would be more than fits into memory. */
const MAX_PAGE_CHARS = 4_000_000;

/** Where a kill stands in a list; `kill` is null for those that the page has no room for. */
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
  // What is open is little, whatever there has been.
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
      `SELECT place.id, kills.resource FROM (
         SELECT id, sum(length(resource)) OVER (ORDER BY id DESC) - length(resource) AS chars_before
         FROM (SELECT id, resource FROM ${from} ${where} ORDER BY id DESC LIMIT ?)) AS place
       LEFT JOIN kills ON kills.id = place.id AND chars_before < ${MAX_PAGE_CHARS}
       ORDER BY place.id DESC`,
    )
    .bind(...conditions.map(([, value]) => value), limit)
    .all<{ id: string; resource: string | null }>();
  return results.map(({ id, resource }) => ({ id, kill: resource === null ? null : readKill(resource) }));
}

export function readKill(resource: string): Kill {
  return v.parse(Kill, JSON.parse(resource));
}

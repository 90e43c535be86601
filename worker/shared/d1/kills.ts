/** The kill queue. */
import * as v from 'valibot';
import { Kill } from '#protocol/api';
import type { KillState } from '#protocol/kill';
import { type AuditEntry, recordAudit } from './audit.ts';
import { firstUlid } from './first-ulid.ts';
import { matching } from './glob.ts';
import { findRuns } from './runs.ts';

/** Brings kills up to date, and takes them out of the queue. For the jobs' objects. Each may be there once only. */
export function mirrorKills(db: D1Database, kills: readonly Kill[]): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE kills SET accepted = 1, seq = latest.seq, resource = latest.resource
       FROM (SELECT value ->> 'id' AS id, value ->> 'seq' AS seq, value AS resource FROM json_each(?)) AS latest
       WHERE kills.id = latest.id AND kills.seq < latest.seq`,
    )
    .bind(JSON.stringify(kills));
}

/** Removes kills from before a time that are over, oldest first: what no object has removed. */
export function forgetLeftOverKills(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      // Their ids begin with the time: the primary key finds the oldest.
      `DELETE FROM kills WHERE id IN (
         SELECT id FROM kills WHERE id < ? AND accepted = 1 AND resource ->> 'state' IN ('settled', 'expired')
         ORDER BY id LIMIT ?)`,
    )
    .bind(firstUlid(before), limit);
}

/** So much of the queue of each job is read at once: a few of them in one query must not be too much for D1. */
const PAGE = 20;

/** For each position, what the queue holds for the job after that kill, oldest first: a page of it, empty at the end. */
export async function unacceptedKills(
  db: D1Database,
  positions: readonly { readonly job: string; readonly after: string }[],
): Promise<Kill[][]> {
  const { results } = await db
    .prepare(
      `SELECT position.key AS position, kills.resource FROM json_each(?) AS position
       JOIN kills ON kills.id IN (
         SELECT id FROM kills INDEXED BY kills_unaccepted WHERE job = position.value ->> 'job' AND accepted = 0
           AND id > position.value ->> 'after' ORDER BY id LIMIT ${PAGE})
       ORDER BY kills.id`,
    )
    .bind(JSON.stringify(positions))
    .all<{ position: number; resource: string }>();
  const pages: Kill[][] = positions.map(() => []);
  for (const { position, resource } of results) pages[position]?.push(readKill(resource));
  return pages;
}

/** The jobs for which something is in the queue, longest waiting first. */
export async function jobsWithUnacceptedKills(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT job FROM kills WHERE accepted = 0 GROUP BY job ORDER BY min(requested_at) LIMIT ?')
    .bind(limit)
    .all<{ job: string }>();
  return results.map(({ job }) => job);
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

/** The client's name for its call, and what it called. */
export interface IdempotencyKey {
  readonly actor: string;
  readonly key: string;
  readonly fingerprint: string;
}

export type Enqueued =
  | { readonly kind: 'stored' }
  /** The same call was made before: this is its kill. */
  | { readonly kind: 'repeated'; readonly kill: Kill }
  /** The key was used before, for another call. */
  | { readonly kind: 'key_reused' }
  | { readonly kind: 'unknown_job' }
  /** The run that is named is none of this job's as the index knows it, but one of this other job's. */
  | { readonly kind: 'foreign_run'; readonly job: string };

export interface KillScope {
  /** The jobs that the caller may see: a run of any other is, to the caller, none. */
  readonly jobGlob: string;
  /** Whether the job's object knows the job, or the run that is named: then it does not matter what the index says. */
  readonly isKnown: boolean;
}

/**
 * Puts a kill into the queue: kill, audit entry and idempotency key in one batch, which is one round trip and one
 * transaction.
 *
 * A job that was never seen will do when the run or instance is named.
 */
export async function enqueueKill(
  db: D1Database,
  kill: Kill,
  audit: AuditEntry,
  idempotency: IdempotencyKey | null,
  { jobGlob, isKnown }: KillScope,
): Promise<Enqueued> {
  const now = Date.parse(kill.requested_at);
  const anyJob = isKnown || kill.run !== null || kill.instance !== null;
  const isVisible = matching('job', jobGlob)[0].replace('?', '?4');
  const isOfThisJob =
    isKnown || kill.run === null
      ? ''
      : `AND (EXISTS (SELECT 1 FROM runs WHERE id = ?3 AND job = ?2)
           OR NOT EXISTS (SELECT 1 FROM runs WHERE id = ?3 AND job <> ?2 AND ${isVisible}))`;
  const mayStore = `(?1 = 1 OR EXISTS (SELECT 1 FROM jobs WHERE name = ?2)) ${isOfThisJob}`;
  const claimKey =
    idempotency === null
      ? []
      : [
          db
            .prepare(
              `INSERT INTO idempotency (actor, key, fingerprint, kill, created_at)
               SELECT ?5, ?6, ?7, ?8, ?9 WHERE ${mayStore} ON CONFLICT DO NOTHING`,
            )
            .bind(
              Number(anyJob),
              kill.job,
              kill.run,
              jobGlob,
              idempotency.actor,
              idempotency.key,
              idempotency.fingerprint,
              kill.id,
              now,
            ),
        ];
  const keyIsOurs =
    idempotency === null ? '' : 'AND EXISTS (SELECT 1 FROM idempotency WHERE actor = ?8 AND key = ?9 AND kill = ?5)';
  const store = db
    .prepare(
      `INSERT INTO kills (id, job, requested_at, resource)
       SELECT ?5, ?2, ?6, ?7 WHERE ${mayStore} ${keyIsOurs}`,
    )
    .bind(
      Number(anyJob),
      kill.job,
      kill.run,
      jobGlob,
      kill.id,
      now,
      JSON.stringify(kill),
      ...(idempotency === null ? [] : [idempotency.actor, idempotency.key]),
    );
  const results = await db.batch([...claimKey, store, recordAudit(db, audit, { table: 'kills', id: kill.id })]);
  // What triggers change may count, too: not one row, but any.
  if (results[claimKey.length]?.meta.changes !== 0) return { kind: 'stored' };
  const earlier = idempotency === null ? null : await earlierUse(db, idempotency);
  if (earlier?.kind === 'key_reused') return earlier;
  const [repeated] = earlier?.kills ?? [];
  if (repeated !== undefined) return { kind: 'repeated', kill: repeated };
  const [run] = kill.run === null ? [] : await findRuns(db, { id: kill.run, jobGlob, job: null });
  if (run !== undefined && run.job !== kill.job) return { kind: 'foreign_run', job: run.job };
  return { kind: 'unknown_job' };
}

export type EarlierUse =
  | { readonly kind: 'repeated'; readonly batch: string; readonly kills: Kill[] }
  | { readonly kind: 'key_reused' };

/** What a key was used for before, if it was. */
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

/** Forgets the idempotency keys from before a time. */
export function forgetIdempotencyKeys(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM idempotency WHERE (actor, key) IN (
         SELECT actor, key FROM idempotency WHERE created_at < ? ORDER BY created_at LIMIT ?)`,
    )
    .bind(before, limit);
}

export function readKill(resource: string): Kill {
  return v.parse(Kill, JSON.parse(resource));
}

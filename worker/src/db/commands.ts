/** The command queue. */
import * as v from 'valibot';
import { Command } from '#protocol/api';
import type { CommandState } from '#protocol/command';
import { type AuditEntry, recordAudit } from './audit.ts';
import { firstUlid } from './first-ulid.ts';
import { matching } from './glob.ts';

/** Brings commands up to date, and takes them out of the queue. For the jobs' objects. Each may be there once only. */
export function mirrorCommands(db: D1Database, commands: readonly Command[]): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE commands SET accepted = 1, seq = latest.seq, resource = latest.resource
       FROM (SELECT value ->> 'id' AS id, value ->> 'seq' AS seq, value AS resource FROM json_each(?)) AS latest
       WHERE commands.id = latest.id AND commands.seq < latest.seq`,
    )
    .bind(JSON.stringify(commands));
}

/** Removes commands from before a time that are over, oldest first: what no object has removed. */
export function forgetLeftOverCommands(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      // Their ids begin with the time: the primary key finds the oldest.
      `DELETE FROM commands WHERE id IN (
         SELECT id FROM commands WHERE id < ? AND accepted = 1 AND resource ->> 'state' IN ('settled', 'expired')
         ORDER BY id LIMIT ?)`,
    )
    .bind(firstUlid(before), limit);
}

/** So much of the queue of each job is read at once: a few of them in one query must not be too much for D1. */
const PAGE = 20;

/** For each position, what the queue holds for the job after that command, oldest first: a page of it, empty at the end. */
export async function unacceptedCommands(
  db: D1Database,
  positions: readonly { readonly job: string; readonly after: string }[],
): Promise<Command[][]> {
  const { results } = await db
    .prepare(
      `SELECT position.key AS position, commands.resource FROM json_each(?) AS position
       JOIN commands ON commands.id IN (
         SELECT id FROM commands INDEXED BY commands_unaccepted WHERE job = position.value ->> 'job' AND accepted = 0
           AND id > position.value ->> 'after' ORDER BY id LIMIT ${PAGE})
       ORDER BY commands.id`,
    )
    .bind(JSON.stringify(positions))
    .all<{ position: number; resource: string }>();
  const pages: Command[][] = positions.map(() => []);
  for (const { position, resource } of results) pages[position]?.push(readCommand(resource));
  return pages;
}

/** The jobs for which something is in the queue, longest waiting first. */
export async function jobsWithUnacceptedCommands(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT job FROM commands WHERE accepted = 0 GROUP BY job ORDER BY min(requested_at) LIMIT ?')
    .bind(limit)
    .all<{ job: string }>();
  return results.map(({ job }) => job);
}

export async function findCommand(db: D1Database, id: string): Promise<Command | null> {
  const row = await db.prepare('SELECT resource FROM commands WHERE id = ?').bind(id).first<{ resource: string }>();
  return row === null ? null : readCommand(row.resource);
}

export interface CommandFilter {
  /** The jobs that the caller may read. */
  readonly jobGlob: string;
  readonly job?: string | undefined;
  readonly states?: readonly CommandState[] | undefined;
  /** Go on after the command with this id. */
  readonly before?: string | undefined;
}

/** A command may have thousands of targets, and a page of such would be more than fits into memory. */
const MAX_PAGE_CHARS = 4_000_000;

/** Where a command stands in a list; `command` is null for those that the page has no room for. */
export interface ListedCommand {
  readonly id: string;
  readonly command: Command | null;
}

/** Commands, newest first. The first always has room. */
export async function listCommands(db: D1Database, filter: CommandFilter, limit: number): Promise<ListedCommand[]> {
  const { jobGlob, job, states, before } = filter;
  const conditions: (readonly [condition: string, value: string])[] = [
    ...(jobGlob === '*' ? [] : [matching('job', jobGlob)]),
    ...(job === undefined ? [] : [['job = ?', job] as const]),
    ...(states === undefined ? [] : [['state IN (SELECT value FROM json_each(?))', JSON.stringify(states)] as const]),
    ...(before === undefined ? [] : [['id < ?', before] as const]),
  ];
  // What is open is little, whatever there has been.
  const isOpenOnly =
    job === undefined && states?.every((state) => state === 'queued' || state === 'delivered') === true;
  const from = isOpenOnly ? 'commands INDEXED BY commands_open' : 'commands';
  const all = [
    ...(isOpenOnly ? ["state IN ('queued', 'delivered')"] : []),
    ...conditions.map(([condition]) => condition),
  ];
  const where = all.length === 0 ? '' : `WHERE ${all.join(' AND ')}`;
  const { results } = await db
    .prepare(
      `SELECT place.id, commands.resource FROM (
         SELECT id, sum(length(resource)) OVER (ORDER BY id DESC) - length(resource) AS chars_before
         FROM (SELECT id, resource FROM ${from} ${where} ORDER BY id DESC LIMIT ?)) AS place
       LEFT JOIN commands ON commands.id = place.id AND chars_before < ${MAX_PAGE_CHARS}
       ORDER BY place.id DESC`,
    )
    .bind(...conditions.map(([, value]) => value), limit)
    .all<{ id: string; resource: string | null }>();
  return results.map(({ id, resource }) => ({ id, command: resource === null ? null : readCommand(resource) }));
}

/** The client's name for its call, and what it called. */
export interface IdempotencyKey {
  readonly actor: string;
  readonly key: string;
  readonly fingerprint: string;
}

export type Enqueued =
  | { readonly kind: 'stored' }
  /** The same call was made before: this is its command. */
  | { readonly kind: 'repeated'; readonly command: Command }
  /** The key was used before, for another call. */
  | { readonly kind: 'key_reused' }
  | { readonly kind: 'unknown_job' }
  /** The run that is named belongs to this other job, which the caller may see. */
  | { readonly kind: 'foreign_run'; readonly job: string };

/**
 * Puts a command into the queue: command, audit entry and idempotency key in one batch, which is one round trip and one
 * transaction.
 *
 * A job that was never seen will do when the run or instance is named, and when `jobIsKnown` already. A run of a job that
 * the caller may not see is, to the caller, one that was never seen: it is stored, and finds nobody.
 *
 * @param visibleJobs the glob of those that the caller may see
 */
export async function enqueueCommand(
  db: D1Database,
  command: Command,
  audit: AuditEntry,
  idempotency: IdempotencyKey | null,
  { jobIsKnown, visibleJobs }: { readonly jobIsKnown: boolean; readonly visibleJobs: string },
): Promise<Enqueued> {
  const now = Date.parse(command.requested_at);
  const anyJob = jobIsKnown || command.run !== null || command.instance !== null;
  const isForeign = command.run === null ? '' : `AND NOT EXISTS (${foreignRun(visibleJobs)})`;
  const mayStore = `(?1 = 1 OR EXISTS (SELECT 1 FROM jobs WHERE name = ?2)) ${isForeign}`;
  const claimKey =
    idempotency === null
      ? []
      : [
          db
            .prepare(
              `INSERT INTO idempotency (actor, key, fingerprint, command, created_at)
               SELECT ?5, ?6, ?7, ?8, ?9 WHERE ${mayStore} ON CONFLICT DO NOTHING`,
            )
            .bind(
              Number(anyJob),
              command.job,
              command.run,
              visibleJobs,
              idempotency.actor,
              idempotency.key,
              idempotency.fingerprint,
              command.id,
              now,
            ),
        ];
  const keyIsOurs =
    idempotency === null ? '' : 'AND EXISTS (SELECT 1 FROM idempotency WHERE actor = ?8 AND key = ?9 AND command = ?5)';
  const store = db
    .prepare(
      `INSERT INTO commands (id, job, requested_at, resource)
       SELECT ?5, ?2, ?6, ?7 WHERE ${mayStore} ${keyIsOurs}`,
    )
    .bind(
      Number(anyJob),
      command.job,
      command.run,
      visibleJobs,
      command.id,
      now,
      JSON.stringify(command),
      ...(idempotency === null ? [] : [idempotency.actor, idempotency.key]),
    );
  const results = await db.batch([...claimKey, store, recordAudit(db, audit, { table: 'commands', id: command.id })]);
  // What triggers change may count, too: not one row, but any.
  if (results[claimKey.length]?.meta.changes !== 0) return { kind: 'stored' };
  const earlier = idempotency === null ? null : await earlierUse(db, idempotency);
  if (earlier?.kind === 'key_reused') return earlier;
  const [repeated] = earlier?.commands ?? [];
  if (repeated !== undefined) return { kind: 'repeated', command: repeated };
  const foreign =
    command.run === null
      ? null
      : await db
          .prepare(foreignRun(visibleJobs))
          .bind(null, command.job, command.run, visibleJobs)
          .first<{ job: string }>();
  return foreign === null ? { kind: 'unknown_job' } : { kind: 'foreign_run', job: foreign.job };
}

/** The job (?2 is not it) that a run (?3) belongs to, of those that match a glob (?4). */
function foreignRun(visibleJobs: string): string {
  // It ends in the `?` of the glob, which gets its number.
  const [isVisible] = matching('job', visibleJobs);
  return `SELECT job FROM runs WHERE id = ?3 AND job <> ?2 AND ${isVisible}4
    AND NOT EXISTS (SELECT 1 FROM runs WHERE id = ?3 AND job = ?2) LIMIT 1`;
}

export type EarlierUse =
  | { readonly kind: 'repeated'; readonly batch: string; readonly commands: Command[] }
  | { readonly kind: 'key_reused' };

/** What a key was used for before, if it was. */
export async function earlierUse(
  db: D1Database,
  { actor, key, fingerprint }: IdempotencyKey,
): Promise<EarlierUse | null> {
  const row = await db
    .prepare('SELECT fingerprint, command FROM idempotency WHERE actor = ? AND key = ?')
    .bind(actor, key)
    .first<{ fingerprint: string; command: string }>();
  if (row === null) return null;
  if (row.fingerprint !== fingerprint) return { kind: 'key_reused' };
  const { results } = await db
    .prepare('SELECT resource FROM commands WHERE id = ?1 OR batch = ?1 ORDER BY id')
    .bind(row.command)
    .all<{ resource: string }>();
  return { kind: 'repeated', batch: row.command, commands: results.map(({ resource }) => readCommand(resource)) };
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

export function readCommand(resource: string): Command {
  return v.parse(Command, JSON.parse(resource));
}

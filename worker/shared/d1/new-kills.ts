/**
 * Storing new kills with their audit entries and their idempotency key: one transaction and one round trip, which also
 * finds and checks the caller's token.
 */
import type { Kill } from '#protocol/api';
import { ADMIN_TOKEN_ID } from '../credential.ts';
import type { TakenKill } from '../job-changes.ts';
import type { Actor, AuditEntry } from './audit.ts';
import { matchingValue } from './glob.ts';
import type { IdempotencyKey } from './idempotency.ts';
import { type FoundCaller, findCaller, type Presented, readCaller } from './tokens.ts';

/** The audit entry of a kill; the actor is whoever requested it. */
export type KillAudit = Omit<AuditEntry, 'actor'> & { readonly id: string };

export interface NewKill {
  /** Its `requested_by` is the caller's name, and is filled in where the caller is found. */
  readonly kill: Kill;
  readonly audit: KillAudit;
}

/** Kills that are stored together, or not at all. */
export interface NewKills {
  readonly kills: readonly NewKill[];
  /** What they have in common if one call may make several. */
  readonly batch: string | null;
  readonly key: Pick<IdempotencyKey, 'key' | 'fingerprint'> | null;
}

/** A caller whose token was verified, with the jobs that it may see. */
export interface KnownCaller extends Actor {
  readonly jobs: string;
}

/** Who requests them: known, or to be found by what the call presents. */
export type KillCaller =
  | { readonly kind: 'known'; readonly caller: KnownCaller }
  /** @property adminHash of the deployment's secret, whose sessions count; null if they don't */
  | { readonly kind: 'presented'; readonly presented: Presented; readonly adminHash: string | null };

/**
 * What the index must confirm before a kill is stored.
 *
 * - `job`: that it knows the job, unless a run or instance is named; and that a run that is named isn't one of another
 *   job only, if the caller may see that job
 * - `nothing`: the job's object knows the job, and the run that is named
 * - `batch`: all was checked before, the caller as well
 */
export type KillCondition = 'job' | 'nothing' | 'batch';

export interface Stored {
  readonly isStored: boolean;
  /** Null if the caller was known. */
  readonly found: FoundCaller | null;
}

/** A bound parameter has at most 2 MB, and a kill with its selector and reason can have 6 KB. */
const ROWS_PER_STATEMENT = 200;

/** Also not stored: if the key was used before. */
export async function storeKills(
  db: D1Database,
  { kills, batch, key }: NewKills,
  by: KillCaller,
  condition: KillCondition,
): Promise<Stored> {
  const first = kills[0]?.kill.id ?? null;
  const now = Date.now();
  const context = JSON.stringify({ ...by, now, condition, batch, id: batch ?? first, ...key });
  const results = await db.batch<unknown>([
    ...(by.kind === 'presented' ? [findCaller(db, by.presented, now)] : []),
    ...(key === null ? [] : [claimKey(db, context, kills.slice(0, 1))]),
    ...chunks(kills).flatMap((chunk) => [recordAudits(db, context, chunk), insertKills(db, context, chunk)]),
    first === null
      ? db.prepare('SELECT 1 FROM idempotency WHERE kill = ?').bind(batch)
      : db.prepare('SELECT 1 FROM kills WHERE id = ?').bind(first),
  ]);
  const isStored = (first === null && key === null) || results.at(-1)?.results.length !== 0;
  return { isStored, found: by.kind === 'presented' ? readCaller(results[0]) : null };
}

/** The caller: `id`, `name` and `jobs`; no row if it may not kill. ?1 is the context. */
const CALLER = `(
  SELECT ?1 ->> '$.caller.id' AS id, ?1 ->> '$.caller.name' AS name, ?1 ->> '$.caller.jobs' AS jobs
    WHERE ?1 ->> '$.kind' = 'known'
  UNION ALL
  SELECT tokens.id, tokens.name, tokens.jobs FROM secrets JOIN tokens ON tokens.id = secrets.token
    WHERE secrets.hash = coalesce(?1 ->> '$.presented.secret', (
        SELECT token_hash FROM sessions WHERE hash = ?1 ->> '$.presented.session' AND expires_at > ?1 ->> '$.now'))
      AND (tokens.expires_at IS NULL OR tokens.expires_at > ?1 ->> '$.now')
      AND (secrets.expires_at IS NULL OR secrets.expires_at > ?1 ->> '$.now')
      AND EXISTS (SELECT 1 FROM json_each(tokens.scopes) WHERE value IN ('kill', 'admin'))
  UNION ALL
  SELECT '${ADMIN_TOKEN_ID}', 'admin', '*' FROM sessions
    WHERE hash = ?1 ->> '$.presented.session' AND expires_at > ?1 ->> '$.now' AND token_hash = ?1 ->> '$.adminHash'
)`;

const mayUse = (job: string) => matchingValue(job, 'caller.jobs');

/** Whether a kill, `entry.value`, may be stored. */
const MAY_STORE = `(?1 ->> '$.condition' = 'batch' OR ${mayUse("(entry.value ->> '$.kill.job')")} AND (
  ?1 ->> '$.condition' = 'nothing' OR
  (entry.value ->> '$.kill.run' IS NOT NULL OR entry.value ->> '$.kill.instance' IS NOT NULL
    OR EXISTS (SELECT 1 FROM jobs WHERE name = entry.value ->> '$.kill.job'))
  AND (entry.value ->> '$.kill.run' IS NULL
    OR EXISTS (SELECT 1 FROM runs WHERE id = entry.value ->> '$.kill.run' AND job = entry.value ->> '$.kill.job')
    OR NOT EXISTS (SELECT 1 FROM runs WHERE id = entry.value ->> '$.kill.run' AND ${mayUse('runs.job')}))))`;

const KEY_IS_OURS = `(?1 ->> '$.key' IS NULL OR EXISTS (
  SELECT 1 FROM idempotency WHERE actor = caller.id AND key = ?1 ->> '$.key' AND kill = ?1 ->> '$.id'))`;

/** The kills, one a row, of ?2. */
const ENTRIES = `json_each(?2) AS entry JOIN ${CALLER} AS caller`;

/** @param first the first kill, if there is any */
function claimKey(db: D1Database, context: string, first: readonly NewKill[]): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO idempotency (actor, key, fingerprint, kill, created_at)
       SELECT caller.id, ?1 ->> '$.key', ?1 ->> '$.fingerprint', ?1 ->> '$.id', ?1 ->> '$.now'
       FROM ${CALLER} AS caller LEFT JOIN json_each(?2) AS entry WHERE ${MAY_STORE} ON CONFLICT DO NOTHING`,
    )
    .bind(context, JSON.stringify(first));
}

/** Before the kills themselves: one that is there already has its entry. */
function recordAudits(db: D1Database, context: string, kills: readonly NewKill[]): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO audit (id, at, last_at, count, actor, actor_name, action, subject, detail, address, request_id)
       SELECT entry.value ->> '$.audit.id', entry.value ->> '$.audit.at', entry.value ->> '$.audit.at', 1, caller.id,
         caller.name, entry.value ->> '$.audit.action', entry.value ->> '$.audit.subject',
         entry.value -> '$.audit.detail', entry.value ->> '$.audit.address', entry.value ->> '$.audit.requestId'
       FROM ${ENTRIES}
       WHERE ${MAY_STORE} AND ${KEY_IS_OURS}
         AND NOT EXISTS (SELECT 1 FROM kills WHERE id = entry.value ->> '$.kill.id')`,
    )
    .bind(context, JSON.stringify(kills));
}

function insertKills(db: D1Database, context: string, kills: readonly NewKill[]): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO kills (id, job, requested_at, batch, key, resource)
       SELECT entry.value ->> '$.kill.id', entry.value ->> '$.kill.job', entry.value ->> '$.audit.at', ?1 ->> '$.batch',
         iif(?1 ->> '$.key' IS NULL, NULL, json_object(
           'actor', caller.id, 'key', ?1 ->> '$.key', 'fingerprint', ?1 ->> '$.fingerprint')),
         json_set(entry.value -> '$.kill', '$.requested_by', caller.name)
       FROM ${ENTRIES} WHERE ${MAY_STORE} AND ${KEY_IS_OURS} ON CONFLICT DO NOTHING`,
    )
    .bind(context, JSON.stringify(kills));
}

/**
 * Stores kills that their objects have taken without D1, unless it has them. For the jobs' objects, whose word counts: a key
 * that D1 has for another kill of the same call is this one's.
 */
export function insertTakenKills(db: D1Database, taken: readonly TakenKill[]): D1PreparedStatement[] {
  const list = JSON.stringify(taken);
  return [
    db
      .prepare(
        `INSERT INTO audit (id, at, last_at, count, actor, actor_name, action, subject, detail, address, request_id)
         SELECT value ->> '$.audit.id', value ->> '$.audit.at', value ->> '$.audit.at', 1, value ->> '$.audit.actor.id',
           value ->> '$.audit.actor.name', value ->> '$.audit.action', value ->> '$.audit.subject',
           value -> '$.audit.detail', value ->> '$.audit.address', value ->> '$.audit.requestId'
         FROM json_each(?1) AS entry WHERE NOT EXISTS (SELECT 1 FROM kills WHERE id = entry.value ->> '$.kill.id')`,
      )
      .bind(list),
    db
      .prepare(
        `INSERT INTO kills (id, job, requested_at, batch, key, resource)
         SELECT value ->> '$.kill.id', value ->> '$.kill.job', value ->> '$.audit.at', value ->> '$.kill.batch',
           nullif(value -> '$.key', 'null'), value -> '$.kill'
         FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING`,
      )
      .bind(list),
    db
      .prepare(
        `INSERT INTO idempotency (actor, key, fingerprint, kill, created_at)
         SELECT value ->> '$.key.actor', value ->> '$.key.key', value ->> '$.key.fingerprint',
           coalesce(value ->> '$.kill.batch', value ->> '$.kill.id'), value ->> '$.audit.at'
         FROM json_each(?1) WHERE value ->> '$.key.key' IS NOT NULL
         ON CONFLICT (actor, key) DO UPDATE SET kill = excluded.kill WHERE kill <> excluded.kill`,
      )
      .bind(list),
  ];
}

function chunks<Row>(rows: readonly Row[]): Row[][] {
  const count = Math.ceil(rows.length / ROWS_PER_STATEMENT);
  return Array.from({ length: count }, (_, index) =>
    rows.slice(index * ROWS_PER_STATEMENT, (index + 1) * ROWS_PER_STATEMENT),
  );
}

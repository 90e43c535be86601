/** The audit log. */
import { ulid } from 'ulid';
import * as v from 'valibot';
import type { AuditAction, AuditEntry as AuditResource } from '#protocol/api';

/** A token's id, and its name at the time. */
export interface Actor {
  readonly id: string;
  readonly name: string;
}

export interface AuditEntry {
  readonly at: number;
  readonly actor: Actor;
  readonly action: Exclude<AuditAction, 'refused' | 'run_conflict'>;
  /** What it was done to. */
  readonly subject: string;
  /** Never a secret. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly address: string | null;
  readonly requestId: string;
}

/** A row that an entry tells of. */
interface Subject {
  readonly table: 'tokens' | 'brakes';
  readonly id: string;
  /** Of brakes: it must not have ended by then. */
  readonly activeAt?: number;
}

/** @param ifExists write the entry only if this row exists at this point of the batch */
export function recordAudit(db: D1Database, entry: AuditEntry, ifExists?: Subject): D1PreparedStatement {
  const id = ulid(entry.at);
  if (ifExists === undefined) return insertEntry(db, id, entry, '');
  const { table, id: row, activeAt } = ifExists;
  return activeAt === undefined
    ? insertEntry(db, id, entry, `WHERE EXISTS (SELECT 1 FROM ${table} WHERE id = ?10)`, row)
    : insertEntry(db, id, entry, `WHERE EXISTS (SELECT 1 FROM ${table} WHERE id = ?10 AND until > ?11)`, row, activeAt);
}

/** The same for an entry with an id, which may be sent again. Not for kills: no index has their subjects. */
export function recordAuditOnce(db: D1Database, id: string, entry: AuditEntry): D1PreparedStatement {
  const isNew = "NOT EXISTS (SELECT 1 FROM audit WHERE subject = ?6 AND action <> 'kill' AND id = ?1)";
  return insertEntry(db, id, entry, `WHERE ${isNew}`);
}

/** @param values of the condition, from ?10 on */
function insertEntry(
  db: D1Database,
  id: string,
  { at, actor, action, subject, detail, address, requestId }: AuditEntry,
  condition: string,
  ...values: readonly (string | number)[]
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO audit (id, at, last_at, count, actor, actor_name, action, subject, detail, address, request_id)
       SELECT ?1, ?2, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9 ${condition}`,
    )
    .bind(id, at, actor.id, actor.name, action, subject, JSON.stringify(detail), address, requestId, ...values);
}

/** Denied requests that share an entry: of one caller, address, operation and reason. */
export interface DeniedRequests {
  readonly actor: Actor | null;
  /** The id of the operation. */
  readonly subject: string;
  readonly code: string;
  readonly address: string | null;
  /** Of the first one. */
  readonly requestId: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

const HOUR_MS = 60 * 60 * 1000;
/** Denied requests from many addresses must not fill the database: the rest share one entry. */
const MAX_DENIED_ENTRIES_PER_HOUR = 200;
/** In place of the operation, in an entry for the rest. */
export const MANY = 'many';

/** Adds denied requests to their entry of this hour. */
export function recordDeniedRequests(db: D1Database, denied: DeniedRequests): D1PreparedStatement[] {
  const hour = String(Math.floor(denied.firstAt / HOUR_MS));
  const key = [hour, denied.address, denied.code, denied.subject, denied.actor?.id].join('|');
  const insert = (row: DeniedRequests, gathered: string, condition: string) =>
    db
      .prepare(
        `INSERT INTO audit
           (id, at, last_at, count, actor, actor_name, action, subject, detail, address, request_id, gathered)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'refused', ?7, ?8, ?9, ?10, ?11 WHERE ${condition}
         ON CONFLICT (gathered) WHERE gathered IS NOT NULL DO UPDATE
         SET count = audit.count + excluded.count, last_at = max(audit.last_at, excluded.last_at)`,
      )
      .bind(
        ulid(row.firstAt),
        row.firstAt,
        row.lastAt,
        row.count,
        row.actor?.id ?? null,
        row.actor?.name ?? null,
        row.subject,
        JSON.stringify({ code: row.code }),
        row.address,
        row.requestId,
        gathered,
        ...(gathered === key ? [hour] : [key]),
      );
  const hasRoom = `EXISTS (SELECT 1 FROM audit WHERE gathered = ?11)
    OR (SELECT count(*) FROM audit WHERE gathered > ?12 || '|' AND gathered < ?12 || '}') < ${MAX_DENIED_ENTRIES_PER_HOUR}`;
  const hadNoRoom = 'NOT EXISTS (SELECT 1 FROM audit WHERE gathered = ?12)';
  const forRest = { ...denied, actor: null, address: null, subject: MANY, code: MANY };
  return [insert(denied, key, hasRoom), insert(forRest, `${hour} over`, hadNoRoom)];
}

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly action?: AuditAction | undefined;
  readonly subject?: string | undefined;
  /** Continue after the entry with this number. */
  readonly before?: number | undefined;
}

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly at: number;
  readonly lastAt: number;
  readonly count: number;
  readonly actor: string | null;
  readonly actorName: string | null;
  readonly action: AuditAction;
  readonly subject: string;
  readonly detail: string;
  readonly address: string | null;
  readonly requestId: string;
}

const Detail = v.record(v.string(), v.unknown());

/** Kills are in no index: a list page that may have some looks through this many entries. */
const LOOKED_THROUGH = 10_000;

export interface AuditPage {
  readonly entries: readonly AuditResource[];
  /** Where the next page continues; null at the end. A page may have fewer entries than there was room for, even none. */
  readonly next: number | null;
}

/** Entries, newest first. @param lookedThrough of how many entries a page may be chosen */
export async function listAudit(
  db: D1Database,
  filter: AuditFilter,
  limit: number,
  lookedThrough = LOOKED_THROUGH,
): Promise<AuditPage> {
  const { actor, action, subject } = filter;
  const before = filter.before ?? (await nextSeq(db));
  const mayBeKills = action === undefined || action === 'kill';
  // The indexes have all but kills, and the planner must know that they will do.
  const floor = mayBeKills ? before - lookedThrough : 0;
  const conditions: [condition: string, value: string | number | undefined][] = [
    ['actor = ?', actor],
    [mayBeKills ? 'action = ?' : "action <> 'kill' AND action = ?", action],
    ['subject = ?', subject],
    ['seq < ?', before],
    ['seq >= ?', floor],
  ];
  const given = conditions.filter(([, value]) => value !== undefined);
  const { results } = await db
    .prepare(
      `SELECT seq, id, at, last_at AS "lastAt", count, actor, actor_name AS "actorName", action, subject, detail, address,
         request_id AS "requestId"
       FROM audit WHERE ${given.map(([condition]) => condition).join(' AND ')} ORDER BY seq DESC LIMIT ?`,
    )
    .bind(...given.map(([, value]) => value), limit + 1)
    .all<Row>();
  const page = results.slice(0, limit);
  const entries = page.map(auditResource);
  if (results.length > limit) return { entries, next: page.at(-1)?.seq ?? null };
  return { entries, next: (await hasBefore(db, floor)) ? floor : null };
}

async function nextSeq(db: D1Database): Promise<number> {
  return (await db.prepare('SELECT coalesce(max(seq), 0) + 1 AS next FROM audit').first<number>('next')) ?? 1;
}

async function hasBefore(db: D1Database, seq: number): Promise<boolean> {
  return seq > 0 && (await db.prepare('SELECT 1 FROM audit WHERE seq < ? LIMIT 1').bind(seq).first()) !== null;
}

function auditResource(row: Row): AuditResource {
  return {
    id: row.id,
    at: new Date(row.at).toISOString(),
    last_at: new Date(row.lastAt).toISOString(),
    count: row.count,
    actor: row.actor === null ? null : { id: row.actor, name: row.actorName ?? row.actor },
    action: row.action,
    subject: row.subject,
    detail: v.parse(Detail, JSON.parse(row.detail)),
    address: row.address,
    request_id: row.requestId,
  };
}

/**
 * Removes entries from before a time, oldest first. Those of kills that objects took while D1 was away were stored late, so a
 * newer entry may stand before an older one: it looks through twice as many as it removes.
 */
export function purgeAudit(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM audit WHERE seq IN (
         SELECT seq FROM (SELECT seq, at FROM audit ORDER BY seq LIMIT 2 * ?2) WHERE at < ?1 LIMIT ?2)`,
    )
    .bind(before, limit);
}

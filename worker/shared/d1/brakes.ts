/** Brakes and maintenance: the orders that stand. D1 has them, and nobody else decides which there are. */
import { ulid } from 'ulid';
import * as v from 'valibot';
import type { Brake, NewBrake, StandingOrder } from '#protocol/brakes';
import { isWithinGlob, matchesGlob, mayOverlap } from '#protocol/glob';
import { MAX_BRAKES } from '#protocol/limits';
import { daysInMs } from '../settings.ts';
import type { Actor } from './audit.ts';
import type { IdempotencyKey } from './idempotency.ts';

/** A brake, or maintenance, as D1 has it. Times are milliseconds since 1970. */
export interface BrakeRecord {
  readonly id: string;
  /** Globs, any of which must match. */
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  readonly reason: string | null;
  readonly until: number;
  /** Whether runs that match are killed. */
  readonly kill: boolean;
  readonly createdBy: Actor;
  readonly createdAt: number;
}

interface Row {
  readonly id: string;
  readonly jobs: string;
  readonly machines: string;
  readonly reason: string | null;
  readonly until: number;
  readonly kill: number;
  readonly createdBy: string;
  readonly createdById: string;
  readonly createdAt: number;
}

const Globs = v.array(v.string());

/** Those that stand at this time, the oldest first. */
export function findActiveBrakes(db: D1Database, now: number): D1PreparedStatement {
  return db
    .prepare(
      `SELECT id, jobs, machines, reason, until, kills AS kill, created_by AS "createdBy", created_by_id AS "createdById",
         created_at AS "createdAt"
       FROM brakes WHERE until > ? ORDER BY id`,
    )
    .bind(now);
}

/** @param result of `findActiveBrakes` */
export function readBrakes(result: Pick<D1Result, 'results'> | undefined): BrakeRecord[] {
  return ((result?.results ?? []) as Row[]).map(({ createdBy, createdById, ...row }) => ({
    ...row,
    jobs: v.parse(Globs, JSON.parse(row.jobs)),
    machines: v.parse(Globs, JSON.parse(row.machines)),
    kill: row.kill === 1,
    createdBy: { id: createdById, name: createdBy },
  }));
}

/** Those that stand at this time, the oldest first. */
export async function activeBrakes(db: D1Database, now: number): Promise<BrakeRecord[]> {
  return readBrakes(await findActiveBrakes(db, now).all());
}

export function newBrake({ jobs, machines, reason, until, kill }: NewBrake, by: Actor, now: number): BrakeRecord {
  const createdBy = { id: by.id, name: by.name };
  return { id: ulid(now), jobs, machines, reason, until: Date.parse(until), kill, createdBy, createdAt: now };
}

/**
 * Stores a brake, unless there are too many, or the call's key was used before. With the key it is claimed first.
 *
 * Whether it is stored, the last statement's `meta.changes` says.
 */
export function insertBrake(db: D1Database, brake: BrakeRecord, key: IdempotencyKey | null): D1PreparedStatement[] {
  const { id, jobs, machines, reason, until, kill, createdBy, createdAt } = brake;
  const hasRoom = `(SELECT count(*) FROM brakes WHERE until > ?9) < ${MAX_BRAKES}`;
  return [
    ...(key === null
      ? []
      : [
          db
            .prepare(
              `INSERT INTO idempotency (actor, key, fingerprint, kill, created_at)
               SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM brakes WHERE until > ?5) < ${MAX_BRAKES}
               ON CONFLICT DO NOTHING`,
            )
            .bind(key.actor, key.key, key.fingerprint, id, createdAt),
        ]),
    db
      .prepare(
        `INSERT INTO brakes (id, jobs, machines, reason, until, kills, created_by_id, created_by, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE ${hasRoom} AND (?10 IS NULL
           OR EXISTS (SELECT 1 FROM idempotency WHERE actor = ?7 AND key = ?10 AND kill = ?1))`,
      )
      .bind(
        id,
        JSON.stringify(jobs),
        JSON.stringify(machines),
        reason,
        until,
        Number(kill),
        createdBy.id,
        createdBy.name,
        createdAt,
        key?.key ?? null,
      ),
  ];
}

export async function findBrake(db: D1Database, id: string, now: number): Promise<BrakeRecord | null> {
  return (await activeBrakes(db, now)).find((brake) => brake.id === id) ?? null;
}

/** What a key was used for; null if it is new. */
export async function earlierBrake(
  db: D1Database,
  { actor, key, fingerprint }: IdempotencyKey,
): Promise<{ readonly id: string; readonly isSame: boolean } | null> {
  const row = await db
    .prepare('SELECT fingerprint, kill FROM idempotency WHERE actor = ? AND key = ?')
    .bind(actor, key)
    .first<{ fingerprint: string; kill: string }>();
  return row === null ? null : { id: row.kill, isSame: row.fingerprint === fingerprint };
}

/** Ends an active one now. Its row stays, like that of one whose time is over: see `purgeBrakes`. */
export function endBrake(db: D1Database, id: string, now: number): D1PreparedStatement {
  return db.prepare('UPDATE brakes SET until = ?2 WHERE id = ?1 AND until > ?2').bind(id, now);
}

/** An alert that was held back meanwhile still finds what silences it: one may wait a day for another to be given up. */
const ENDED_MS = daysInMs(2);

/** Removes those that ended long ago. */
export function purgeBrakes(db: D1Database, now: number, limit: number): D1PreparedStatement {
  return db
    .prepare('DELETE FROM brakes WHERE id IN (SELECT id FROM brakes WHERE until <= ? LIMIT ?)')
    .bind(now - ENDED_MS, limit);
}

/** Whether it is for this job on this machine. @param machine null: of the job as a whole, which any machine may be */
export function isBraked(brake: Pick<BrakeRecord, 'jobs' | 'machines'>, job: string, machine: string | null): boolean {
  return (
    brake.jobs.some((glob) => matchesGlob(glob, job)) &&
    (machine === null ? brake.machines.includes('*') : brake.machines.some((glob) => matchesGlob(glob, machine)))
  );
}

/** Whether it may be for a job of this glob. */
export function concernsJobs({ jobs }: Pick<BrakeRecord, 'jobs'>, glob: string): boolean {
  return jobs.some((own) => mayOverlap(own, glob));
}

/** Whether it is for no job outside of this glob. */
export function isWithinJobs({ jobs }: Pick<BrakeRecord, 'jobs'>, glob: string): boolean {
  return jobs.every((own) => isWithinGlob(own, glob));
}

/**
 * What a job's object has to know of the brakes that match a run: of each kind the one that ends last. Others change
 * nothing.
 */
export function standingOrders(
  brakes: readonly BrakeRecord[],
  { job, machine }: { readonly job: string; readonly machine: string },
): StandingOrder[] {
  const matching = brakes.filter((brake) => isBraked(brake, job, machine)).toSorted((a, b) => b.until - a.until);
  const [brake, maintenance] = [matching.find(({ kill }) => kill), matching.find(({ kill }) => !kill)];
  return [brake, maintenance].flatMap((each) => (each === undefined ? [] : [standingOrder(each)]));
}

export function standingOrder({ id, kill, until, reason, createdBy }: BrakeRecord): StandingOrder {
  return { id, kill, until_ms: until, reason, created_by: createdBy.name, created_by_id: createdBy.id };
}

/** The brake as the API shows it. */
export function brakeResource(brake: BrakeRecord): Brake {
  const { id, jobs, machines, reason, until, kill, createdBy, createdAt } = brake;
  return {
    id,
    jobs: [...jobs],
    machines: [...machines],
    reason,
    until: new Date(until).toISOString(),
    kill,
    created_by: createdBy.name,
    created_at: new Date(createdAt).toISOString(),
  };
}

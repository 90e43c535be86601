/** The kills that this object has accepted, and their targets. */
import type { Kill, TargetTiming } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import {
  isTargetEnded,
  type KillInclude,
  type KillSignal,
  type KillState,
  TARGET_STATES,
  type TargetState,
} from '#protocol/kill';
import { KIB } from '#protocol/limits';
import type { RelatedProcess } from '#protocol/machine-facts';
import { LIVE_STATES, type RunState } from '#protocol/run-state';
import { SALTPETER_KILL, type WrapperKind } from '#protocol/wrapper-kind';
import type { IdempotencyKey } from '../../shared/d1/idempotency.ts';
import type { QueuedKill } from '../../shared/d1/kill-queue.ts';
import { quoted } from '../../shared/d1/quoted.ts';
import type { TakenKill } from '../../shared/job-changes.ts';
import { boolean, integer, json, nullable, type RecordOf, Table, text } from '../storage/table.ts';
import { hasLeftProcesses, type RunRecord } from './run-store.ts';

/** The table `kills`. Times are milliseconds since 1970. */
export const KILL_COLUMNS = {
  id: text(),
  state: text<KillState>(),
  run: nullable(text()),
  instance: nullable(text()),
  machine: nullable(text()),
  /** Null: each run's own. */
  signal: nullable(text<KillSignal>()),
  graceMs: nullable(integer()),
  /** What is ended besides each run's own processes; null for nothing. */
  include: nullable(text<KillInclude>()),
  reason: nullable(text()),
  requestedBy: text(),
  requestId: nullable(text()),
  /** The same for all kills of one call. */
  batch: nullable(text()),
  requestedAt: integer(),
  expiresAt: integer(),
  /** How long it took until it was durable; null while that is unknown. */
  storedMs: nullable(integer()),
  /** Of the call that made it. */
  key: nullable(json<IdempotencyKey>()),
  /** For D1's audit log; null if D1 had the kill first. */
  audit: nullable(json<TakenKill['audit']>()),
  seq: integer(),
  /** Up to which `seq` D1 has it. For Outbox. */
  sentSeq: integer(),
  /** Whether it is done and D1 has that. */
  settled: boolean(),
};

export type KillRecord = RecordOf<typeof KILL_COLUMNS>;

/** The processes of a run that a kill did not end. */
export interface Survivors {
  readonly survivors: readonly number[];
  /** Whether there are others, whose pids are unknown. */
  readonly unnamedSurvivors: boolean;
  /** Related processes that were not killed. */
  readonly related: readonly RelatedProcess[];
}

/** One run that a kill applies to. */
export interface TargetRecord extends Survivors {
  readonly kill: string;
  readonly run: string;
  readonly machine: string;
  readonly wrapper: WrapperKind;
  readonly state: TargetState;
  /** How often the kill was sent on the run's last socket; 0: never. */
  readonly sends: number;
  /** Whether the wrapper has answered. */
  readonly acknowledged: boolean;
  readonly timing: TargetTiming | null;
  /** The first signal of a kill that names none. */
  readonly killSignal: string;
  readonly runState: RunState;
  readonly exitCode: number | null;
}

/** Clocks may differ by this much: that of the host that stamped the kill, and that of the run's. */
const CLOCK_SKEW_MS = 1_000;

/** Whether a kill's machines, names and globs separated by commas, include a machine. */
function matchesMachines(machines: string, machine: string): boolean {
  return machines.split(',').some((glob) => matchesGlob(glob, machine));
}

type Matchable = Pick<RunRecord, 'id' | 'instance' | 'machine' | 'final' | 'leftRunning' | 'askedAt' | 'startedAt'>;

/**
 * Whether a kill applies to a run: its selector matches, and the run was there before the kill was requested. A run that
 * has ended but left processes running matches only a kill that names it.
 */
export function matchesRun(kill: KillRecord, run: Matchable): boolean {
  return (
    (run.final ? kill.run === run.id && hasLeftProcesses(run) : kill.run === null || kill.run === run.id) &&
    (kill.instance === null || kill.instance === run.instance) &&
    (kill.machine === null || matchesMachines(kill.machine, run.machine)) &&
    (run.askedAt ?? run.startedAt) <= kill.requestedAt + CLOCK_SKEW_MS
  );
}

/**
 * Whether a kill skips a run that it matches, because the run has been lost for too long.
 *
 * A machine that was switched off for good leaves a run that never ends, and that would be a target of every later kill
 * of its job. A kill that names the run or its instance does not skip it; if the run reconnects, it is found then.
 */
export function skipsLostRun(kill: KillRecord, run: RunRecord, lostTargetMs: number): boolean {
  return (
    kill.run === null &&
    kill.instance === null &&
    run.state === 'lost' &&
    run.disconnectedSince !== null &&
    kill.requestedAt - run.disconnectedSince > lostTargetMs
  );
}

/** What changes of a target. */
export type TargetChanges = Partial<
  Pick<TargetRecord, 'state' | 'sends' | 'acknowledged' | 'timing' | keyof Survivors>
>;

type TargetRow = Omit<TargetRecord, 'acknowledged' | 'timing' | keyof Survivors> & {
  survivors: string;
  unnamedSurvivors: number;
  related: string;
  acknowledged: number;
  timing: string | null;
};
type SqlRow<Row> = { [Field in keyof Row]: Row[Field] };

const SELECT_TARGET = `SELECT targets.kill, targets.run, runs.machine, runs.wrapper, targets.state, targets.survivors,
  targets.unnamed_survivors AS "unnamedSurvivors", targets.related, targets.sends,
  targets.acknowledged, targets.timing,
  runs.kill_signal AS "killSignal", runs.state AS "runState", runs.exit_code AS "exitCode"
  FROM targets JOIN runs ON runs.id = targets.run`;

const ENDED = quoted(TARGET_STATES.filter(isTargetEnded));
const LIVE = quoted(LIVE_STATES);

export class KillStore extends Table<typeof KILL_COLUMNS> {
  constructor(sql: SqlStorage) {
    super(sql, 'kills', KILL_COLUMNS);
  }

  /** The kills that are not over. */
  open(): KillRecord[] {
    // `settled` has an index.
    return this.select("WHERE settled = 0 AND state IN ('queued', 'delivered')");
  }

  /** The kills that still look for runs. */
  searching(now: number): KillRecord[] {
    return this.select('WHERE expires_at > ? ORDER BY requested_at, id', now);
  }

  /** The kills of calls with this key that were requested after a time, oldest first. */
  withKey(actor: string, key: string, after: number): KillRecord[] {
    return this.select(
      `WHERE expires_at > ?1 AND requested_at > ?1 AND key ->> 'actor' = ?2 AND key ->> 'key' = ?3 ORDER BY id`,
      after,
      actor,
      key,
    );
  }

  /** Makes a run a target of the kill, once. @returns whether it is new */
  addTarget(kill: string, run: string, { state = 'pending', sends = 0, timing = null }: TargetChanges = {}): boolean {
    const inserted = this.sql.exec(
      `INSERT INTO targets (kill, run, state, survivors, sends, timing) VALUES (?, ?, ?, '[]', ?, ?)
       ON CONFLICT DO NOTHING RETURNING 1`,
      kill,
      run,
      state,
      sends,
      timing && JSON.stringify(timing),
    );
    return inserted.toArray().length > 0;
  }

  /** Writes all that changes of a target at once: a row each. */
  updateTarget(target: TargetRecord, changes: TargetChanges): void {
    const { state, sends, acknowledged, timing, ...left } = { ...target, ...changes };
    this.sql.exec(
      `UPDATE targets SET state = ?, sends = ?, acknowledged = ?, timing = ?, survivors = ?, unnamed_survivors = ?,
         related = ? WHERE kill = ? AND run = ?`,
      state,
      sends,
      Number(acknowledged),
      timing && JSON.stringify(timing),
      JSON.stringify(left.survivors),
      Number(left.unnamedSurvivors),
      JSON.stringify(left.related),
      target.kill,
      target.run,
    );
  }

  target(kill: string, run: string): TargetRecord | null {
    return this.#targets(`${SELECT_TARGET} WHERE targets.kill = ? AND targets.run = ?`, kill, run)[0] ?? null;
  }

  /** Whether a run is a target of a kill of this batch. */
  hasTargetInBatch(run: string, batch: string): boolean {
    const ofRun = 'targets JOIN kills ON kills.id = targets.kill WHERE targets.run = ? AND kills.batch = ?';
    return this.#exists(ofRun, run, batch);
  }

  targetsOf(kill: string): TargetRecord[] {
    return this.#targets(`${SELECT_TARGET} WHERE targets.kill = ? ORDER BY targets.run`, kill);
  }

  /** The open targets of a kill whose runs have ended, and are disconnected. */
  openAtDisconnectedEnds(kill: string): TargetRecord[] {
    return this.#targets(
      `${SELECT_TARGET} WHERE targets.kill = ? AND targets.state NOT IN (${ENDED}) AND runs.final = 1 AND runs.connected = 0`,
      kill,
    );
  }

  /** The kills that a run is a target of, oldest first. */
  targetsAt(run: string): TargetRecord[] {
    return this.#targets(`${SELECT_TARGET} WHERE targets.run = ? ORDER BY targets.kill`, run);
  }

  /**
   * The state of a kill, from those of its targets. It changes with each step of each target, and there may be
   * thousands of them, so this reads no further than the first open one.
   */
  stateOf(kill: string, expired: boolean): KillState {
    if (!this.#exists('targets WHERE kill = ?', kill)) return expired ? 'expired' : 'queued';
    // `gone` means that the kill is over there; only the end of the run brings its exit code.
    const ofLiveRuns = `targets JOIN runs ON runs.id = targets.run WHERE targets.kill = ? AND runs.state IN (${LIVE})`;
    const isOpen =
      this.#exists(`targets WHERE kill = ? AND state NOT IN (${ENDED})`, kill) || this.#exists(ofLiveRuns, kill);
    if (!isOpen) return 'settled';
    return this.#exists('targets WHERE kill = ? AND acknowledged = 1', kill) ? 'delivered' : 'queued';
  }

  #exists(rows: string, ...bindings: SqlStorageValue[]): boolean {
    return this.sql.exec(`SELECT 1 FROM ${rows} LIMIT 1`, ...bindings).toArray().length > 0;
  }

  hasTargets(kill: string): boolean {
    return this.#exists('targets WHERE kill = ?', kill);
  }

  /** Kills that expired before a time and have no targets. */
  withoutTargets(expiredBefore: number, limit: number): string[] {
    const withoutTargets = 'NOT EXISTS (SELECT 1 FROM targets WHERE targets.kill = kills.id)';
    return this.select(
      `WHERE expires_at < ? AND ${withoutTargets} ORDER BY expires_at LIMIT ?`,
      expiredBefore,
      limit,
    ).map(({ id }) => id);
  }

  /** Removes a run from the targets of all kills. @returns those kills */
  removeTargetsAt(run: string): string[] {
    return this.sql
      .exec<{ kill: string }>('DELETE FROM targets WHERE run = ? RETURNING kill', run)
      .toArray()
      .map(({ kill }) => kill);
  }

  #targets(query: string, ...bindings: SqlStorageValue[]): TargetRecord[] {
    return this.sql
      .exec<SqlRow<TargetRow>>(query, ...bindings)
      .toArray()
      .map((row) => ({
        ...row,
        survivors: JSON.parse(row.survivors) as number[],
        unnamedSurvivors: row.unnamedSurvivors === 1,
        acknowledged: row.acknowledged === 1,
        timing: row.timing === null ? null : (JSON.parse(row.timing) as TargetTiming),
        related: JSON.parse(row.related) as RelatedProcess[],
      }));
  }
}

/**
 * At most this much JSON of related processes per kill, beyond that only their number: D1 and dashboards get it all at
 * once.
 */
const MAX_RELATED_CHARS = 64 * KIB;

/** The related processes of each target, in order, until the limit is reached. */
function namedRelated(targets: readonly TargetRecord[]): RelatedProcess[][] {
  let room = MAX_RELATED_CHARS;
  return targets.map(({ related }) => {
    if (related.length === 0) return [];
    room -= JSON.stringify(related).length;
    return room < 0 ? [] : [...related];
  });
}

/** The first signal of a kill at a run: the kill's, the run's own, or the only one that its wrapper can send. */
export function firstSignal(
  { signal }: Pick<KillRecord, 'signal'>,
  { wrapper, killSignal }: Pick<RunRecord, 'wrapper' | 'killSignal'>,
): string {
  return wrapper === 'saltpeter' ? SALTPETER_KILL.signal : (signal ?? killSignal);
}

/** A kill as the API returns it. */
export function killResource(job: string, kill: KillRecord, targets: readonly TargetRecord[]): Kill {
  const related = namedRelated(targets);
  return {
    id: kill.id,
    job,
    kind: 'kill',
    state: kill.state,
    run: kill.run,
    instance: kill.instance,
    machine: kill.machine,
    signal: kill.signal,
    grace_ms: kill.graceMs,
    include: kill.include,
    reason: kill.reason,
    requested_by: kill.requestedBy,
    request_id: kill.requestId,
    batch: kill.batch,
    requested_at: new Date(kill.requestedAt).toISOString(),
    expires_at: new Date(kill.expiresAt).toISOString(),
    stored_ms: kill.storedMs,
    targets: targets.map((target, index) => ({
      run: target.run,
      machine: target.machine,
      state: target.state,
      wrapper: target.wrapper,
      signal: firstSignal(kill, target),
      exit_code: target.exitCode,
      survivors: [...target.survivors],
      unnamed_survivors: target.unnamedSurvivors,
      related: related[index] ?? [],
      related_count: target.related.length,
      timing: target.timing,
    })),
    found_nothing: targets.every(({ state }) => state === 'refused'),
    seq: kill.seq,
  };
}

/** A kill from the queue, or one that is offered, as the object stores it. */
export function killRecord(kill: QueuedKill, audit: TakenKill['audit'] | null = null): KillRecord {
  return {
    id: kill.id,
    state: 'queued',
    run: kill.run,
    instance: kill.instance,
    machine: kill.machine,
    signal: kill.signal,
    graceMs: kill.grace_ms,
    // A kill that an older Worker put into the queue lacks it.
    include: kill.include ?? null,
    reason: kill.reason,
    requestedBy: kill.requested_by,
    requestId: kill.request_id,
    batch: kill.batch,
    requestedAt: Date.parse(kill.requested_at),
    expiresAt: Date.parse(kill.expires_at),
    // A kill that an older Worker put into the queue lacks it.
    storedMs: kill.stored_ms ?? null,
    key: kill.key ?? null,
    audit,
    seq: 1,
    sentSeq: 0,
    settled: false,
  };
}

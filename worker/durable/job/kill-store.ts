/** The kills this object has accepted and their targets, as rows. */
import type { Kill } from '#protocol/api';
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
import { hasLeftProcesses, type RunRecord } from './run-store.ts';

/** Times are milliseconds since 1970. */
export interface KillRecord {
  readonly id: string;
  readonly state: KillState;
  readonly run: string | null;
  readonly instance: string | null;
  readonly machine: string | null;
  /** Null: each run's own. */
  readonly signal: KillSignal | null;
  readonly graceMs: number | null;
  /** What is ended beside each run's own processes; null for nothing. */
  readonly include: KillInclude | null;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly requestId: string | null;
  /** The same for all that one call has made. */
  readonly batch: string | null;
  readonly requestedAt: number;
  readonly expiresAt: number;
  readonly seq: number;
}

/** What was not ended at a run. */
export interface Survivors {
  readonly survivors: readonly number[];
  /** Whether there are others whose pids are not known. */
  readonly unnamedSurvivors: boolean;
  /** Related processes that were not killed. */
  readonly related: readonly RelatedProcess[];
}

export const NO_SURVIVORS: Survivors = { survivors: [], unnamedSurvivors: false, related: [] };

/** One run that a kill is for. */
export interface TargetRecord extends Survivors {
  readonly kill: string;
  readonly run: string;
  readonly machine: string;
  readonly state: TargetState;
  /** How often the kill went down the socket that it went down last; 0: it never went out. */
  readonly sends: number;
  /** What the run is sent first by a kill that names no signal. */
  readonly killSignal: string;
  readonly runState: RunState;
  readonly exitCode: number | null;
}

/** Two hosts' clocks may differ by this much: the one that stamped the kill and the one that saw the run start. */
const CLOCK_SKEW_MS = 1_000;

/** Whether a machine is one of those that a kill names: names and globs, separated by commas. */
function matchesMachines(machines: string, machine: string): boolean {
  return machines.split(',').some((glob) => matchesGlob(glob, machine));
}

/**
 * Whether a kill is meant for a run: its selector fits, and the run started before it was given. Of a run that has
 * ended something may still run: who names the run means that, and nobody else does.
 */
export function matchesRun(kill: KillRecord, run: RunRecord): boolean {
  return (
    (run.final ? kill.run === run.id && hasLeftProcesses(run) : kill.run === null || kill.run === run.id) &&
    (kill.instance === null || kill.instance === run.instance) &&
    (kill.machine === null || matchesMachines(kill.machine, run.machine)) &&
    run.startedAt <= kill.requestedAt + CLOCK_SKEW_MS
  );
}

/**
 * Whether a kill that fits a run passes it over for now, because nobody has heard of the run for too long.
 *
 * A machine that was switched off for good leaves a run that never ends: as a target of every later kill of its job it
 * would only hide what matters. Who names the run or its instance means it; and should it return, it is found then.
 */
export function passesOver(kill: KillRecord, run: RunRecord, lostTargetMs: number): boolean {
  return (
    kill.run === null &&
    kill.instance === null &&
    run.state === 'lost' &&
    run.outOfTouchSince !== null &&
    kill.requestedAt - run.outOfTouchSince > lostTargetMs
  );
}

type TargetRow = Omit<TargetRecord, keyof Survivors> & {
  survivors: string;
  unnamedSurvivors: number;
  related: string;
};
type SqlRow<Row> = { [Field in keyof Row]: Row[Field] };

const SELECT_KILL = `SELECT id, state, run, instance, machine, signal, grace_ms AS "graceMs", include, reason,
  requested_by AS "requestedBy", request_id AS "requestId", batch, requested_at AS "requestedAt", expires_at AS "expiresAt", seq FROM kills`;
const SELECT_TARGET = `SELECT targets.kill, targets.run, runs.machine, targets.state, targets.survivors,
  targets.unnamed_survivors AS "unnamedSurvivors", targets.related, targets.sends,
  runs.kill_signal AS "killSignal", runs.state AS "runState", runs.exit_code AS "exitCode"
  FROM targets JOIN runs ON runs.id = targets.run`;

const ENDED = quoted(TARGET_STATES.filter(isTargetEnded));
const LIVE = quoted(LIVE_STATES);

export class KillStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get(id: string): KillRecord | null {
    return this.#kills(`${SELECT_KILL} WHERE id = ?`, id)[0] ?? null;
  }

  /** The kills that still look for runs. */
  searching(now: number): KillRecord[] {
    return this.#kills(`${SELECT_KILL} WHERE expires_at > ? ORDER BY requested_at, id`, now);
  }

  insert(kill: KillRecord): void {
    this.#sql.exec(
      `INSERT INTO kills (id, state, run, instance, machine, signal, grace_ms, include, reason, requested_by, request_id, batch, requested_at, expires_at, seq)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      kill.id,
      kill.state,
      kill.run,
      kill.instance,
      kill.machine,
      kill.signal,
      kill.graceMs,
      kill.include,
      kill.reason,
      kill.requestedBy,
      kill.requestId,
      kill.batch,
      kill.requestedAt,
      kill.expiresAt,
      kill.seq,
    );
  }

  setState(id: string, state: KillState, seq: number): void {
    this.#sql.exec('UPDATE kills SET state = ?, seq = ? WHERE id = ?', state, seq, id);
  }

  /** @returns whether the run was not a target of the kill before */
  addTarget(kill: string, run: string): boolean {
    const inserted = this.#sql.exec(
      `INSERT INTO targets (kill, run, state, survivors) VALUES (?, ?, 'pending', '[]')
       ON CONFLICT DO NOTHING RETURNING 1`,
      kill,
      run,
    );
    return inserted.toArray().length > 0;
  }

  setTarget(target: Pick<TargetRecord, 'kill' | 'run'>, state: TargetState, left: Survivors): void {
    this.#sql.exec(
      'UPDATE targets SET state = ?, survivors = ?, unnamed_survivors = ?, related = ? WHERE kill = ? AND run = ?',
      state,
      JSON.stringify(left.survivors),
      Number(left.unnamedSurvivors),
      JSON.stringify(left.related),
      target.kill,
      target.run,
    );
  }

  countSends(target: Pick<TargetRecord, 'kill' | 'run'>, sends: number): void {
    this.#sql.exec('UPDATE targets SET sends = ? WHERE kill = ? AND run = ?', sends, target.kill, target.run);
  }

  /** The wrapper has answered. @returns whether it had not before */
  acknowledge(target: Pick<TargetRecord, 'kill' | 'run'>): boolean {
    const first = this.#sql.exec(
      'UPDATE targets SET acknowledged = 1 WHERE kill = ? AND run = ? AND acknowledged = 0 RETURNING 1',
      target.kill,
      target.run,
    );
    return first.toArray().length > 0;
  }

  target(kill: string, run: string): TargetRecord | null {
    return this.#targets(`${SELECT_TARGET} WHERE targets.kill = ? AND targets.run = ?`, kill, run)[0] ?? null;
  }

  targetsOf(kill: string): TargetRecord[] {
    return this.#targets(`${SELECT_TARGET} WHERE targets.kill = ? ORDER BY targets.run`, kill);
  }

  /** The open targets of a kill whose runs have ended, and of whose left processes nobody is in touch. */
  openAtUnlinkedEnds(kill: string): TargetRecord[] {
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
   * The state that follows from how far a kill's targets have come.
   *
   * Asked at every step of every target, so it looks no further than the first that is still open: a kill may have
   * thousands of targets.
   */
  stateOf(kill: string, expired: boolean): KillState {
    if (!this.#exists('targets WHERE kill = ?', kill)) return expired ? 'expired' : 'queued';
    // `gone` says that nothing is left of the command; only with the run's end is its exit code known.
    const ofLiveRuns = `targets JOIN runs ON runs.id = targets.run WHERE targets.kill = ? AND runs.state IN (${LIVE})`;
    const isOpen =
      this.#exists(`targets WHERE kill = ? AND state NOT IN (${ENDED})`, kill) || this.#exists(ofLiveRuns, kill);
    if (!isOpen) return 'settled';
    return this.#exists('targets WHERE kill = ? AND acknowledged = 1', kill) ? 'delivered' : 'queued';
  }

  #exists(rows: string, ...bindings: SqlStorageValue[]): boolean {
    return this.#sql.exec(`SELECT 1 FROM ${rows} LIMIT 1`, ...bindings).toArray().length > 0;
  }

  isEmpty(): boolean {
    return !this.#exists('kills');
  }

  hasTargets(kill: string): boolean {
    return this.#exists('targets WHERE kill = ?', kill);
  }

  /** Kills that expired before a time and have no targets. */
  withoutTargets(expiredBefore: number, limit: number): string[] {
    return this.#kills(
      `${SELECT_KILL} WHERE expires_at < ?
         AND NOT EXISTS (SELECT 1 FROM targets WHERE targets.kill = kills.id) ORDER BY expires_at LIMIT ?`,
      expiredBefore,
      limit,
    ).map(({ id }) => id);
  }

  /** Forgets that a run was a target. @returns the kills it was one of */
  removeTargetsAt(run: string): string[] {
    return this.#sql
      .exec<{ kill: string }>('DELETE FROM targets WHERE run = ? RETURNING kill', run)
      .toArray()
      .map(({ kill }) => kill);
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM kills WHERE id = ?', id);
  }

  #kills(query: string, ...bindings: SqlStorageValue[]): KillRecord[] {
    return this.#sql.exec<SqlRow<KillRecord>>(query, ...bindings).toArray();
  }

  #targets(query: string, ...bindings: SqlStorageValue[]): TargetRecord[] {
    return this.#sql
      .exec<SqlRow<TargetRow>>(query, ...bindings)
      .toArray()
      .map((row) => ({
        ...row,
        survivors: JSON.parse(row.survivors) as number[],
        unnamedSurvivors: row.unnamedSurvivors === 1,
        related: JSON.parse(row.related) as RelatedProcess[],
      }));
  }
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}

/** So much of what was left alone is named in one kill; of more only the number. D1 and the pages get all of it at once. */
const MAX_RELATED_CHARS = 64 * KIB;

/** What each target has left alone, in order, until there is no more room. */
function namedRelated(targets: readonly TargetRecord[]): RelatedProcess[][] {
  let room = MAX_RELATED_CHARS;
  return targets.map(({ related }) => {
    if (related.length === 0) return [];
    room -= JSON.stringify(related).length;
    return room < 0 ? [] : [...related];
  });
}

/** The kill as the API shows it. */
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
    targets: targets.map((target, index) => ({
      run: target.run,
      machine: target.machine,
      state: target.state,
      signal: kill.signal ?? target.killSignal,
      exit_code: target.exitCode,
      survivors: [...target.survivors],
      unnamed_survivors: target.unnamedSurvivors,
      related: related[index] ?? [],
      related_count: target.related.length,
    })),
    found_nothing: targets.every(({ state }) => state === 'refused'),
    seq: kill.seq,
  };
}

/** The kill as the object keeps it, from what the API put into the queue. */
export function killRecord(kill: Kill): KillRecord {
  return {
    id: kill.id,
    state: 'queued',
    run: kill.run,
    instance: kill.instance,
    machine: kill.machine,
    signal: kill.signal,
    graceMs: kill.grace_ms,
    // One that an older Worker has put into the queue says nothing of it.
    include: kill.include ?? null,
    reason: kill.reason,
    requestedBy: kill.requested_by,
    requestId: kill.request_id,
    batch: kill.batch,
    requestedAt: Date.parse(kill.requested_at),
    expiresAt: Date.parse(kill.expires_at),
    seq: 1,
  };
}

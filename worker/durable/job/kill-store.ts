/** The commands this object has accepted and their targets, as rows. */
import type { Command } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import {
  type CommandState,
  isTargetEnded,
  type KillInclude,
  type KillSignal,
  TARGET_STATES,
  type TargetState,
} from '#protocol/kill';
import { KIB } from '#protocol/limits';
import type { MarkedProcess } from '#protocol/machine-facts';
import { LIVE_STATES, type RunState } from '#protocol/run-state';
import { hasLeftProcesses, type RunRecord } from './run-store.ts';

/** Times are milliseconds since 1970. */
export interface CommandRecord {
  readonly id: string;
  readonly state: CommandState;
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
  /** What was left alone although it carries the run's mark. */
  readonly marked: readonly MarkedProcess[];
}

export const NO_SURVIVORS: Survivors = { survivors: [], unnamedSurvivors: false, marked: [] };

/** One run that a command is for. */
export interface TargetRecord extends Survivors {
  readonly command: string;
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

/** Whether a machine is one of those that a command names: names and globs, separated by commas. */
function matchesMachines(machines: string, machine: string): boolean {
  return machines.split(',').some((glob) => matchesGlob(glob, machine));
}

/**
 * Whether a command is meant for a run: its selector fits, and the run started before it was given. Of a run that has
 * ended something may still run: who names the run means that, and nobody else does.
 */
export function matchesRun(command: CommandRecord, run: RunRecord): boolean {
  return (
    (run.final ? command.run === run.id && hasLeftProcesses(run) : command.run === null || command.run === run.id) &&
    (command.instance === null || command.instance === run.instance) &&
    (command.machine === null || matchesMachines(command.machine, run.machine)) &&
    run.startedAt <= command.requestedAt + CLOCK_SKEW_MS
  );
}

/**
 * Whether a command that fits a run passes it over for now, because nobody has heard of the run for too long.
 *
 * A machine that was switched off for good leaves a run that never ends: as a target of every later kill of its job it
 * would only hide what matters. Who names the run or its instance means it; and should it return, it is found then.
 */
export function passesOver(command: CommandRecord, run: RunRecord, lostTargetMs: number): boolean {
  return (
    command.run === null &&
    command.instance === null &&
    run.state === 'lost' &&
    run.outOfTouchSince !== null &&
    command.requestedAt - run.outOfTouchSince > lostTargetMs
  );
}

type TargetRow = Omit<TargetRecord, keyof Survivors> & {
  survivors: string;
  unnamedSurvivors: number;
  marked: string;
};
type SqlRow<Row> = { [Field in keyof Row]: Row[Field] };

const SELECT_COMMAND = `SELECT id, state, run, instance, machine, signal, grace_ms AS "graceMs", include, reason,
  requested_by AS "requestedBy", request_id AS "requestId", batch, requested_at AS "requestedAt", expires_at AS "expiresAt", seq FROM commands`;
const SELECT_TARGET = `SELECT targets.command, targets.run, runs.machine, targets.state, targets.survivors,
  targets.unnamed_survivors AS "unnamedSurvivors", targets.marked, targets.sends,
  runs.kill_signal AS "killSignal", runs.state AS "runState", runs.exit_code AS "exitCode"
  FROM targets JOIN runs ON runs.id = targets.run`;

const ENDED = quoted(TARGET_STATES.filter(isTargetEnded));
const LIVE = quoted(LIVE_STATES);

export class CommandStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get(id: string): CommandRecord | null {
    return this.#commands(`${SELECT_COMMAND} WHERE id = ?`, id)[0] ?? null;
  }

  /** The commands that still look for runs. */
  searching(now: number): CommandRecord[] {
    return this.#commands(`${SELECT_COMMAND} WHERE expires_at > ? ORDER BY requested_at, id`, now);
  }

  insert(command: CommandRecord): void {
    this.#sql.exec(
      `INSERT INTO commands (id, state, run, instance, machine, signal, grace_ms, include, reason, requested_by, request_id, batch, requested_at, expires_at, seq)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      command.id,
      command.state,
      command.run,
      command.instance,
      command.machine,
      command.signal,
      command.graceMs,
      command.include,
      command.reason,
      command.requestedBy,
      command.requestId,
      command.batch,
      command.requestedAt,
      command.expiresAt,
      command.seq,
    );
  }

  setState(id: string, state: CommandState, seq: number): void {
    this.#sql.exec('UPDATE commands SET state = ?, seq = ? WHERE id = ?', state, seq, id);
  }

  /** @returns whether the run was not a target of the command before */
  addTarget(command: string, run: string): boolean {
    const inserted = this.#sql.exec(
      `INSERT INTO targets (command, run, state, survivors) VALUES (?, ?, 'pending', '[]')
       ON CONFLICT DO NOTHING RETURNING 1`,
      command,
      run,
    );
    return inserted.toArray().length > 0;
  }

  setTarget(target: Pick<TargetRecord, 'command' | 'run'>, state: TargetState, left: Survivors): void {
    this.#sql.exec(
      'UPDATE targets SET state = ?, survivors = ?, unnamed_survivors = ?, marked = ? WHERE command = ? AND run = ?',
      state,
      JSON.stringify(left.survivors),
      Number(left.unnamedSurvivors),
      JSON.stringify(left.marked),
      target.command,
      target.run,
    );
  }

  countSends(target: Pick<TargetRecord, 'command' | 'run'>, sends: number): void {
    this.#sql.exec('UPDATE targets SET sends = ? WHERE command = ? AND run = ?', sends, target.command, target.run);
  }

  /** The wrapper has answered. @returns whether it had not before */
  acknowledge(target: Pick<TargetRecord, 'command' | 'run'>): boolean {
    const first = this.#sql.exec(
      'UPDATE targets SET acknowledged = 1 WHERE command = ? AND run = ? AND acknowledged = 0 RETURNING 1',
      target.command,
      target.run,
    );
    return first.toArray().length > 0;
  }

  target(command: string, run: string): TargetRecord | null {
    return this.#targets(`${SELECT_TARGET} WHERE targets.command = ? AND targets.run = ?`, command, run)[0] ?? null;
  }

  targetsOf(command: string): TargetRecord[] {
    return this.#targets(`${SELECT_TARGET} WHERE targets.command = ? ORDER BY targets.run`, command);
  }

  /** The open targets of a command whose runs have ended, and of whose left processes nobody is in touch. */
  openAtUnlinkedEnds(command: string): TargetRecord[] {
    return this.#targets(
      `${SELECT_TARGET} WHERE targets.command = ? AND targets.state NOT IN (${ENDED}) AND runs.final = 1 AND runs.connected = 0`,
      command,
    );
  }

  /** The commands that a run is a target of, oldest first. */
  targetsAt(run: string): TargetRecord[] {
    return this.#targets(`${SELECT_TARGET} WHERE targets.run = ? ORDER BY targets.command`, run);
  }

  /**
   * The state that follows from how far a command's targets have come.
   *
   * Asked at every step of every target, so it looks no further than the first that is still open: a command may have
   * thousands of targets.
   */
  stateOf(command: string, expired: boolean): CommandState {
    if (!this.#exists('targets WHERE command = ?', command)) return expired ? 'expired' : 'queued';
    // `gone` says that nothing is left of the command; only with the run's end is its exit code known.
    const ofLiveRuns = `targets JOIN runs ON runs.id = targets.run WHERE targets.command = ? AND runs.state IN (${LIVE})`;
    const isOpen =
      this.#exists(`targets WHERE command = ? AND state NOT IN (${ENDED})`, command) ||
      this.#exists(ofLiveRuns, command);
    if (!isOpen) return 'settled';
    return this.#exists('targets WHERE command = ? AND acknowledged = 1', command) ? 'delivered' : 'queued';
  }

  #exists(rows: string, ...bindings: SqlStorageValue[]): boolean {
    return this.#sql.exec(`SELECT 1 FROM ${rows} LIMIT 1`, ...bindings).toArray().length > 0;
  }

  isEmpty(): boolean {
    return !this.#exists('commands');
  }

  hasTargets(command: string): boolean {
    return this.#exists('targets WHERE command = ?', command);
  }

  /** Commands that expired before a time and have no targets. */
  withoutTargets(expiredBefore: number, limit: number): string[] {
    return this.#commands(
      `${SELECT_COMMAND} WHERE expires_at < ?
         AND NOT EXISTS (SELECT 1 FROM targets WHERE targets.command = commands.id) ORDER BY expires_at LIMIT ?`,
      expiredBefore,
      limit,
    ).map(({ id }) => id);
  }

  /** Forgets that a run was a target. @returns the commands it was one of */
  removeTargetsAt(run: string): string[] {
    return this.#sql
      .exec<{ command: string }>('DELETE FROM targets WHERE run = ? RETURNING command', run)
      .toArray()
      .map(({ command }) => command);
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM commands WHERE id = ?', id);
  }

  #commands(query: string, ...bindings: SqlStorageValue[]): CommandRecord[] {
    return this.#sql.exec<SqlRow<CommandRecord>>(query, ...bindings).toArray();
  }

  #targets(query: string, ...bindings: SqlStorageValue[]): TargetRecord[] {
    return this.#sql
      .exec<SqlRow<TargetRow>>(query, ...bindings)
      .toArray()
      .map((row) => ({
        ...row,
        survivors: JSON.parse(row.survivors) as number[],
        unnamedSurvivors: row.unnamedSurvivors === 1,
        marked: JSON.parse(row.marked) as MarkedProcess[],
      }));
  }
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}

/** So much of what was left alone is named in one command; of more only the number. D1 and the pages get all of it at once. */
const MAX_MARKED_CHARS = 64 * KIB;

/** What each target has left alone, in order, until there is no more room. */
function namedMarked(targets: readonly TargetRecord[]): MarkedProcess[][] {
  let room = MAX_MARKED_CHARS;
  return targets.map(({ marked }) => {
    if (marked.length === 0) return [];
    room -= JSON.stringify(marked).length;
    return room < 0 ? [] : [...marked];
  });
}

/** The command as the API shows it. */
export function commandResource(job: string, command: CommandRecord, targets: readonly TargetRecord[]): Command {
  const marked = namedMarked(targets);
  return {
    id: command.id,
    job,
    kind: 'kill',
    state: command.state,
    run: command.run,
    instance: command.instance,
    machine: command.machine,
    signal: command.signal,
    grace_ms: command.graceMs,
    include: command.include,
    reason: command.reason,
    requested_by: command.requestedBy,
    request_id: command.requestId,
    batch: command.batch,
    requested_at: new Date(command.requestedAt).toISOString(),
    expires_at: new Date(command.expiresAt).toISOString(),
    targets: targets.map((target, index) => ({
      run: target.run,
      machine: target.machine,
      state: target.state,
      signal: command.signal ?? target.killSignal,
      exit_code: target.exitCode,
      survivors: [...target.survivors],
      unnamed_survivors: target.unnamedSurvivors,
      marked: marked[index] ?? [],
      marked_count: target.marked.length,
    })),
    found_nothing: targets.every(({ state }) => state === 'refused'),
    seq: command.seq,
  };
}

/** The command as the object keeps it, from what the API put into the queue. */
export function commandRecord(command: Command): CommandRecord {
  return {
    id: command.id,
    state: 'queued',
    run: command.run,
    instance: command.instance,
    machine: command.machine,
    signal: command.signal,
    graceMs: command.grace_ms,
    // One that an older Worker has put into the queue says nothing of it.
    include: command.include ?? null,
    reason: command.reason,
    requestedBy: command.requested_by,
    requestId: command.request_id,
    batch: command.batch,
    requestedAt: Date.parse(command.requested_at),
    expiresAt: Date.parse(command.expires_at),
    seq: 1,
  };
}

/** The runs of this job, as rows. */
import type { OutputLimit, Run } from '#protocol/api';
import type { Host, LeftProcess } from '#protocol/machine-facts';
import type { EndReason, RunState } from '#protocol/run-state';

/** A run as the object knows it. Times are milliseconds since 1970. */
export interface RunRecord {
  readonly id: string;
  readonly keyHash: string;
  readonly instance: string;
  readonly machine: string;
  readonly state: RunState;
  readonly final: boolean;
  readonly connected: boolean;
  readonly outOfTouchSince: number | null;
  readonly generation: number;
  readonly suspectedSince: number | null;
  readonly exitCode: number | null;
  readonly commandExitCode: number | null;
  readonly signal: string | null;
  readonly reason: EndReason | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly pid: number | null;
  readonly commandLine: string;
  readonly wrapperVersion: string;
  /** Which wrapper speaks for it: 0 the one that started the command, n the n-th that took it over. */
  readonly successor: number;
  /** Null for a wrapper that did not say. */
  readonly host: Host | null;
  /** What still runs of it after its end. */
  readonly leftRunning: readonly LeftProcess[];
  readonly timeoutMs: number | null;
  readonly graceMs: number;
  /** What is sent first when it is to end and nobody says how. */
  readonly killSignal: string;
  readonly outputEnd: number;
  readonly finalOffset: number | null;
  /** Where the head of its output ends, which the run's own limit never takes; null while all there is is head. */
  readonly headEnd: number | null;
  /** What its output takes in storage. */
  readonly outputSize: number;
  /** The limit for which some of its output had to go. */
  readonly trimmedFor: OutputLimit | null;
  readonly seq: number;
}

const COLUMNS = {
  id: 'id',
  keyHash: 'key_hash',
  instance: 'instance',
  machine: 'machine',
  state: 'state',
  final: 'final',
  connected: 'connected',
  outOfTouchSince: 'out_of_touch_since',
  generation: 'generation',
  suspectedSince: 'suspected_since',
  exitCode: 'exit_code',
  commandExitCode: 'command_exit_code',
  signal: 'signal',
  reason: 'reason',
  startedAt: 'started_at',
  endedAt: 'ended_at',
  pid: 'pid',
  commandLine: 'command_line',
  wrapperVersion: 'wrapper_version',
  successor: 'successor',
  host: 'host',
  leftRunning: 'left_running',
  timeoutMs: 'timeout_ms',
  graceMs: 'grace_ms',
  killSignal: 'kill_signal',
  outputEnd: 'output_end',
  finalOffset: 'final_offset',
  headEnd: 'head_end',
  outputSize: 'output_size',
  trimmedFor: 'trimmed_for',
  seq: 'seq',
} as const satisfies Record<keyof RunRecord, string>;

const SELECT = `SELECT ${Object.entries(COLUMNS)
  .map(([field, column]) => `${column} AS "${field}"`)
  .join(', ')} FROM runs`;

type RunRow = {
  [Field in Exclude<keyof RunRecord, 'host' | 'leftRunning'>]: RunRecord[Field] extends boolean
    ? number
    : RunRecord[Field];
} & { host: string | null; leftRunning: string };

export class RunStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get(id: string): RunRecord | null {
    return this.#all(`${SELECT} WHERE id = ?`, id)[0] ?? null;
  }

  /** The runs whose end is not final: alive, or lost as the object declared it. */
  open(): RunRecord[] {
    return this.#all(`${SELECT} WHERE final = 0`);
  }

  /** The runs that have ended and of which something still runs. */
  withLeftProcesses(): RunRecord[] {
    // In the words of the index `runs_with_left_processes`, or it would not be used.
    return this.#all(`${SELECT} WHERE left_running <> '[]'`);
  }

  /** The run that ended first of those whose output is more than one gap. */
  oldestEndedWithOutput(): RunRecord | null {
    // In the words of the index `runs_by_end_to_trim`, or it would not be used.
    return this.#all(`${SELECT} WHERE ended_at IS NOT NULL AND output_size > 64 ORDER BY ended_at LIMIT 1`)[0] ?? null;
  }

  /** The run that lives and has the most output. */
  liveWithMostOutput(): RunRecord | null {
    return this.#all(`${SELECT} WHERE final = 0 AND ended_at IS NULL ORDER BY output_size DESC, id LIMIT 1`)[0] ?? null;
  }

  /** Runs that ended before a time, oldest first. */
  endedBefore(time: number, limit: number): RunRecord[] {
    return this.#all(`${SELECT} WHERE ended_at < ? ORDER BY ended_at LIMIT ?`, time, limit);
  }

  /** Output was stored up to `outputEnd`. */
  growOutput(id: string, outputEnd: number, size: number): void {
    this.#sql.exec('UPDATE runs SET output_end = ?, output_size = output_size + ? WHERE id = ?', outputEnd, size, id);
  }

  /** Output was trimmed. */
  freeOutput(id: string, size: number): void {
    this.#sql.exec('UPDATE runs SET output_size = output_size - ? WHERE id = ?', size, id);
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM runs WHERE id = ?', id);
  }

  isEmpty(): boolean {
    return this.#sql.exec('SELECT 1 FROM runs LIMIT 1').toArray().length === 0;
  }

  insert(run: RunRecord): void {
    const fields = Object.keys(COLUMNS) as (keyof RunRecord)[];
    this.#sql.exec(
      `INSERT INTO runs (${fields.map((field) => COLUMNS[field]).join(', ')}) VALUES (${fields.map(() => '?').join(', ')})`,
      ...fields.map((field) => toSql(run[field])),
    );
  }

  /** Changes some fields and nothing else; whoever calls decides whether `seq` goes up. */
  patch(id: string, changes: Partial<RunRecord>): void {
    const fields = Object.keys(changes) as (keyof RunRecord)[];
    this.#sql.exec(
      `UPDATE runs SET ${fields.map((field) => `${COLUMNS[field]} = ?`).join(', ')} WHERE id = ?`,
      ...fields.map((field) => toSql(changes[field] ?? null)),
      id,
    );
  }

  #all(query: string, ...bindings: SqlStorageValue[]): RunRecord[] {
    return this.#sql
      .exec<RunRow>(query, ...bindings)
      .toArray()
      .map((row) => ({
        ...row,
        final: row.final === 1,
        connected: row.connected === 1,
        host: row.host === null ? null : (JSON.parse(row.host) as Host),
        leftRunning: JSON.parse(row.leftRunning) as LeftProcess[],
      }));
  }
}

function toSql(value: RunRecord[keyof RunRecord]): SqlStorageValue {
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

/** Whether something of a run that has ended still runs: then a wrapper may keep its link, and a kill that names it has work. */
export function hasLeftProcesses(run: RunRecord): boolean {
  return run.leftRunning.length > 0;
}

/** The run as the API shows it. */
export function runResource(job: string, run: RunRecord): Run {
  return {
    id: run.id,
    job,
    instance: run.instance,
    machine: run.machine,
    state: run.state,
    final: run.final,
    connected: run.connected,
    out_of_touch_since: timestamp(run.outOfTouchSince),
    exit_code: run.exitCode,
    command_exit_code: run.commandExitCode,
    signal: run.signal,
    reason: run.reason,
    started_at: new Date(run.startedAt).toISOString(),
    ended_at: timestamp(run.endedAt),
    pid: run.pid,
    command_line: run.commandLine,
    wrapper_version: run.wrapperVersion,
    successor: run.successor,
    user: run.host?.user ?? null,
    host: run.host && { is_root: run.host.is_root, os: run.host.os, node: run.host.node },
    timeout_ms: run.timeoutMs,
    grace_ms: run.graceMs,
    left_running: [...run.leftRunning],
    kill_signal: run.killSignal,
    output_bytes: run.outputEnd,
    output_total_bytes: run.finalOffset,
    seq: run.seq,
  };
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

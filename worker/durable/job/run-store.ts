import type { About } from '#protocol/about';
import type { BlockingRun, Question } from '#protocol/admission';
import type { OutputLimit, Run } from '#protocol/api';
import type { Host, LeftProcess } from '#protocol/machine-facts';
import type { EndReason, RunState, SkipReason } from '#protocol/run-state';
import type { Usage } from '#protocol/usage';
import type { WrapperKind } from '#protocol/wrapper-kind';
import { boolean, integer, json, nullable, type RecordOf, Table, text } from '../storage/table.ts';
import { OutputProgressCache } from './output-progress.ts';

/** Why a run that asked is not to start. */
export interface Refusal {
  readonly reason: SkipReason;
  /** The operator's order, in words. */
  readonly detail: string | null;
}

/** The table `runs`. Times are milliseconds since 1970. */
export const RUN_COLUMNS = {
  id: text(),
  keyHash: text(),
  instance: text(),
  machine: text(),
  state: text<RunState>(),
  final: boolean(),
  connected: boolean(),
  disconnectedSince: nullable(integer()),
  /** Which of the run's sockets speaks for it: the newest that sent `start`. */
  generation: integer(),
  /** Set while the object doubts that the run is alive: when it last heard of it. */
  suspectedSince: nullable(integer()),
  exitCode: nullable(integer()),
  commandExitCode: nullable(integer()),
  signal: nullable(text()),
  reason: nullable(text<EndReason>()),
  startedAt: integer(),
  endedAt: nullable(integer()),
  pid: nullable(integer()),
  commandLine: text(),
  /** The program that supervises it. */
  wrapper: text<WrapperKind>(),
  wrapperVersion: text(),
  /** Which wrapper speaks for it: 0 the one that started the command, n the n-th that took it over. */
  successor: integer(),
  /** Null for a wrapper that did not report it. */
  host: nullable(json<Host>()),
  /** The processes of the run that are still running after its end. */
  leftRunning: json<readonly LeftProcess[]>(),
  timeoutMs: nullable(integer()),
  graceMs: integer(),
  /** The first signal of a kill that names none. */
  killSignal: text(),
  outputEnd: integer(),
  finalOffset: nullable(integer()),
  /** Where the head of its output ends, which the run's own limit never removes; null while all output is head. */
  headEnd: nullable(integer()),
  /** The storage that its output takes: its bytes, and ROW_COST_BYTES for each row. */
  outputSize: integer(),
  /** Output before this offset was moved to the bucket; null: none was, nor was it tried. */
  archivedTo: nullable(integer()),
  /** The limit by which some of its output was removed. */
  trimmedFor: nullable(text<OutputLimit>()),
  /** What the job is; null if its wrapper said nothing. */
  about: nullable(json<About>()),
  /** What its processes took; null until its end. */
  usage: nullable(json<Usage>()),
  /** Since when it takes longer than expected. */
  slowSince: nullable(integer()),
  /** When it last came back after it was lost. */
  returnedAt: nullable(integer()),
  /** What it asked before its start. */
  question: nullable(json<Question>()),
  askedAt: nullable(integer()),
  /** Set when it was told to start: rises with each such run of the job. */
  fence: nullable(integer()),
  /** Set when it was told not to start. */
  refusal: nullable(json<Refusal>()),
  /** The runs that are, or were, in its way. */
  blockedBy: json<readonly BlockingRun[]>(),
  /** JSON: the newest events. For EventStore. */
  recentEvents: text(),
  eventCount: integer(),
  seq: integer(),
  /** Up to which `seq` D1 has it. For Outbox. */
  sentSeq: integer(),
  /** Whether its end is final and D1 has it. */
  settled: boolean(),
};

export type RunRecord = RecordOf<typeof RUN_COLUMNS>;

/** The runs of this job. */
export class RunStore extends Table<typeof RUN_COLUMNS> {
  readonly #progress: OutputProgressCache;
  /** Null until it is asked for. */
  #outputTotal: number | null = null;

  constructor(sql: SqlStorage) {
    super(sql, 'runs', RUN_COLUMNS);
    this.#progress = new OutputProgressCache(sql);
  }

  protected override select(clause: string, ...bindings: SqlStorageValue[]): RunRecord[] {
    const runs = super.select(clause, ...bindings);
    return runs.map((run) => (mayLackOutput(run) ? { ...run, ...this.#progress.of(run.id, run) } : run));
  }

  override patch(id: string, changes: Partial<RunRecord>): void {
    super.patch(id, { ...this.#progress.takeUnsaved(id), ...changes });
  }

  override remove(id: string): void {
    this.#progress.takeUnsaved(id);
    // Its output may have been removed without being counted.
    this.#outputTotal = null;
    super.remove(id);
  }

  /** A transaction was rolled back: what is in memory may not be stored. */
  rolledBack(): void {
    this.#progress.clear();
    this.#outputTotal = null;
  }

  /** The runs whose end is not final: alive, or declared lost by this object. */
  open(): RunRecord[] {
    this.#progress.restoreLive();
    return this.select('WHERE settled = 0 AND final = 0');
  }

  /** Whether an open run asked for no other to run beside it. */
  hasExclusive(): boolean {
    const query = `SELECT 1 FROM runs WHERE settled = 0 AND final = 0 AND question ->> '$.overlap' <> 'allow' LIMIT 1`;
    return this.sql.exec(query).toArray().length > 0;
  }

  /** The live runs that may be in the way of others: all but those that wait. */
  inUse(): RunRecord[] {
    return this.select(
      `WHERE settled = 0 AND final = 0 AND (state IN ('running', 'killing') OR state = 'waiting' AND fence IS NOT NULL)`,
    );
  }

  /** The runs that asked, and were neither told to start nor not to. */
  waiting(): RunRecord[] {
    return this.select(`WHERE settled = 0 AND final = 0 AND state = 'waiting' AND fence IS NULL AND refusal IS NULL`);
  }

  /** The runs that have ended and have left processes running. */
  withLeftProcesses(): RunRecord[] {
    // Must match the WHERE clause of the index `runs_with_left_processes` exactly.
    return this.select("WHERE left_running <> '[]'");
  }

  /** The run that ended first of those whose output is more than one gap. */
  oldestEndedWithOutput(): RunRecord | null {
    return this.select('WHERE ended_at IS NOT NULL AND output_size > 64 ORDER BY ended_at LIMIT 1')[0] ?? null;
  }

  /** The live run with the most output. */
  liveWithMostOutput(): RunRecord | null {
    const live = this.#live();
    return live.reduce<RunRecord | null>((most, run) => (run.outputSize > (most?.outputSize ?? -1) ? run : most), null);
  }

  /** The run that started last, on a machine or on any. Reads all runs: for what is rare. */
  lastStarted(machine: string | null): RunRecord | null {
    const [condition, bindings] = machine === null ? ['', []] : ['WHERE machine = ?', [machine]];
    return this.select(`${condition} ORDER BY started_at DESC, id DESC LIMIT 1`, ...bindings)[0] ?? null;
  }

  /** Runs that ended before a time, oldest first. */
  endedBefore(time: number, limit: number): RunRecord[] {
    return this.select('WHERE ended_at < ? ORDER BY ended_at LIMIT ?', time, limit);
  }

  /** The storage that the output of all runs takes, except of those that have ended and have one gap at most. */
  get outputTotal(): number {
    this.#outputTotal ??= this.#live().reduce((sum, run) => sum + run.outputSize, this.#outputOfEnded());
    return this.#outputTotal;
  }

  /** Output was stored up to `outputEnd`. */
  growOutput(run: RunRecord, outputEnd: number, size: number): void {
    if (this.#outputTotal !== null) this.#outputTotal += size;
    if (!mayLackOutput(run)) {
      const update = 'UPDATE runs SET output_end = ?, output_size = output_size + ? WHERE id = ?';
      this.sql.exec(update, outputEnd, size, run.id);
    } else if (this.#progress.grow(run.id, outputEnd, size)) {
      this.#save(run.id);
    }
  }

  /** Output was trimmed, or moved to the bucket. @param changes to be written with that */
  freeOutput(id: string, size: number, changes: Partial<RunRecord> = {}): void {
    const run = this.get(id);
    if (run === null) return;
    if (this.#outputTotal !== null) this.#outputTotal -= size;
    this.patch(id, { ...changes, outputSize: run.outputSize - size });
  }

  /** The run that ended first of those with much output, all of which is stored here. */
  oldestToArchive(endedBefore: number): RunRecord | null {
    // Must match the WHERE clause of the index `runs_to_archive` exactly, which says how much is worth it.
    const [oldest] = this.select(
      `WHERE ended_at IS NOT NULL AND output_size >= 65536
         AND ended_at < ? AND final = 1 AND output_end >= final_offset ORDER BY ended_at LIMIT 1`,
      endedBefore,
    );
    return oldest ?? null;
  }

  /** Writes what a run's row lacks. */
  #save(id: string): void {
    const unsaved = this.#progress.takeUnsaved(id);
    if (unsaved !== null) super.patch(id, unsaved);
  }

  #live(): RunRecord[] {
    this.#progress.restoreLive();
    return this.select('WHERE settled = 0 AND final = 0 AND ended_at IS NULL ORDER BY id');
  }

  #outputOfEnded(): number {
    // The index `runs_by_end` has all that is read here.
    const query = 'SELECT sum(output_size) AS size FROM runs WHERE ended_at IS NOT NULL AND output_size > 64';
    return this.sql.exec<{ size: number | null }>(query).one().size ?? 0;
  }
}

/** Whether the row of a run may lack some of its output: only while the run is live. */
function mayLackOutput(run: RunRecord): boolean {
  return !run.final && run.endedAt === null;
}

/**
 * Whether a run that has ended left processes running: then a keeper may stay connected, and a kill can name the run.
 */
export function hasLeftProcesses(run: Pick<RunRecord, 'leftRunning'>): boolean {
  return run.leftRunning.length > 0;
}

/** A run as the API returns it. */
export function runResource(job: string, run: RunRecord): Run {
  return {
    id: run.id,
    job,
    instance: run.instance,
    machine: run.machine,
    state: run.state,
    final: run.final,
    connected: run.connected,
    disconnected_since: timestamp(run.disconnectedSince),
    exit_code: run.exitCode,
    command_exit_code: run.commandExitCode,
    signal: run.signal,
    reason: run.reason,
    started_at: new Date(run.startedAt).toISOString(),
    ended_at: timestamp(run.endedAt),
    pid: run.pid,
    command_line: run.commandLine,
    wrapper: run.wrapper,
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
    about: run.about,
    usage: run.usage,
    slow_since: timestamp(run.slowSince),
    asked_at: timestamp(run.askedAt),
    fence: run.fence,
    blocked_by: [...run.blockedBy],
    seq: run.seq,
  };
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

import { CREDENTIALS_TABLE } from '../sockets/credentials.ts';
import { applyMigrations } from '../storage/migrations.ts';

/** The SQLite schema of a job object, as migrations. Append new ones; never change one that has shipped. */
const MIGRATIONS = [
  `
  CREATE TABLE identity (job TEXT NOT NULL) STRICT;

  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    key_hash TEXT NOT NULL,
    instance TEXT NOT NULL,
    machine TEXT NOT NULL,
    state TEXT NOT NULL,
    final INTEGER NOT NULL,
    connected INTEGER NOT NULL,
    disconnected_since INTEGER,
    -- Which of the run's sockets is current: the newest that sent \`start\`.
    generation INTEGER NOT NULL,
    -- Set while the object suspects that the run is dead: when it was last heard of.
    suspected_since INTEGER,
    exit_code INTEGER,
    command_exit_code INTEGER,
    signal TEXT,
    reason TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    pid INTEGER,
    command_line TEXT NOT NULL,
    wrapper_version TEXT NOT NULL,
    successor INTEGER NOT NULL DEFAULT 0,
    -- JSON; null for a wrapper that did not report it.
    host TEXT,
    -- JSON: the processes that still run after the run's end.
    left_running TEXT NOT NULL DEFAULT '[]',
    timeout_ms INTEGER,
    grace_ms INTEGER NOT NULL,
    kill_signal TEXT NOT NULL DEFAULT 'SIGTERM',
    -- Of a live run, this and \`output_size\` may lack the output that arrived last: see output-progress.ts.
    output_end INTEGER NOT NULL,
    final_offset INTEGER,
    -- The storage that the run's output takes: its bytes, and ROW_COST_BYTES (64) for each row.
    output_size INTEGER NOT NULL DEFAULT 0,
    -- Where the head ends, which is kept as long as the job has room.
    head_end INTEGER,
    -- Output before this offset is in the bucket.
    archived_to INTEGER,
    -- The limit by which some of the output was removed; null while it is complete.
    trimmed_for TEXT,
    -- JSON: the newest events, and how many there have been.
    recent_events TEXT NOT NULL,
    event_count INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    -- Up to which \`seq\` D1 has it.
    sent_seq INTEGER NOT NULL DEFAULT 0,
    -- Whether its end is final and D1 has it: all others are in an index, which costs nothing when they leave it.
    settled INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX runs_unsettled ON runs (id) WHERE settled = 0;
  -- With the storage that their output takes.
  CREATE INDEX runs_by_end ON runs (ended_at, output_size) WHERE ended_at IS NOT NULL;
  -- Runs that have ended and whose output is worth being moved to the bucket: to move less than 64 KiB costs more, by
  -- deleted rows and a write to the bucket, than it saves.
  CREATE INDEX runs_to_archive ON runs (ended_at) WHERE ended_at IS NOT NULL AND output_size >= 65536;
  CREATE INDEX runs_with_left_processes ON runs (id) WHERE left_running <> '[]';

  -- Older events. Each row has several.
  CREATE TABLE events (
    run TEXT NOT NULL,
    -- The id of the first of them.
    first INTEGER NOT NULL,
    -- JSON
    events TEXT NOT NULL,
    PRIMARY KEY (run, first)
  ) STRICT, WITHOUT ROWID;

  -- The output of each run, without holes: a range that was lost on the machine has no stream and no bytes. The stream
  -- \`archive\` is a range in the bucket: its bytes are the index of that (archive-index.ts).
  CREATE TABLE output (
    run TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    stream TEXT,
    bytes BLOB,
    PRIMARY KEY (run, start)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE kills (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    run TEXT,
    instance TEXT,
    machine TEXT,
    -- Null: each run's own.
    signal TEXT,
    grace_ms INTEGER,
    -- What is ended besides each run's own processes; null for nothing.
    include TEXT,
    reason TEXT,
    requested_by TEXT NOT NULL,
    request_id TEXT,
    batch TEXT,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- How long it took until it was durable.
    stored_ms INTEGER,
    -- JSON: the idempotency key of the call that made it.
    key TEXT,
    -- JSON: who requested it and from where, for D1's audit log; null if D1 had the kill first.
    audit TEXT,
    seq INTEGER NOT NULL,
    -- As of runs: a kill is settled when it is done and D1 has that.
    sent_seq INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kills_unsettled ON kills (id) WHERE settled = 0;
  CREATE INDEX kills_by_expiry ON kills (expires_at);

  CREATE TABLE targets (
    kill TEXT NOT NULL,
    run TEXT NOT NULL,
    state TEXT NOT NULL,
    survivors TEXT NOT NULL,
    -- Whether there are survivors besides those in \`survivors\`.
    unnamed_survivors INTEGER NOT NULL DEFAULT 0,
    -- JSON: related processes that were not killed.
    related TEXT NOT NULL DEFAULT '[]',
    -- How often the kill was sent on the run's last socket.
    sends INTEGER NOT NULL DEFAULT 0,
    -- Whether the wrapper has answered.
    acknowledged INTEGER NOT NULL DEFAULT 0,
    -- JSON: when the kill passed each hop; null until it was sent.
    timing TEXT,
    PRIMARY KEY (kill, run)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX targets_by_run ON targets (run);

  CREATE TABLE deadlines (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    armed_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;

  -- Runs and kills that were removed here, and not yet in D1.
  CREATE TABLE tombstones (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;

  ${CREDENTIALS_TABLE}
  `,
  `
  -- The program that supervises the run.
  ALTER TABLE runs ADD COLUMN wrapper TEXT NOT NULL DEFAULT 'leash';

  -- The runs under a wrapper of Saltpeter, which are found by the names in each of its frames.
  CREATE TABLE saltpeter_runs (
    run TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    machine TEXT NOT NULL,
    run_key TEXT NOT NULL,
    -- The frame of output that is expected next; null until the first, if the run's start was never heard of.
    next_seq INTEGER,
    -- What ended the command, as the wrapper says in its last line of output.
    note TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX saltpeter_runs_by_names ON saltpeter_runs (instance, machine, run);
  `,
  `
  -- JSON: what the job is, as its command line says; what its processes took.
  ALTER TABLE runs ADD COLUMN about TEXT;
  ALTER TABLE runs ADD COLUMN usage TEXT;
  -- Since when it takes longer than expected.
  ALTER TABLE runs ADD COLUMN slow_since INTEGER;
  -- When it last came back after it was lost.
  ALTER TABLE runs ADD COLUMN returned_at INTEGER;
  -- JSON: what it asked before its start; null: it did not ask.
  ALTER TABLE runs ADD COLUMN question TEXT;
  ALTER TABLE runs ADD COLUMN asked_at INTEGER;
  -- Set when it was allowed to start.
  ALTER TABLE runs ADD COLUMN fence INTEGER;
  -- JSON: set when it was not allowed to start.
  ALTER TABLE runs ADD COLUMN refusal TEXT;
  -- JSON: the runs that are, or were, in its way.
  ALTER TABLE runs ADD COLUMN blocked_by TEXT NOT NULL DEFAULT '[]';

  -- The last fence. It must never go back, whatever runs are removed.
  ALTER TABLE identity ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;

  -- When runs are expected: on each machine, or, with an empty name, on any of them.
  CREATE TABLE expectations (
    machine TEXT PRIMARY KEY,
    -- JSON: what was set by the command line of the last run, and by an operator, which has precedence.
    from_run TEXT,
    from_operator TEXT,
    set_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    -- The run that started last: the next due time is counted from its start.
    last_run TEXT,
    last_started_at INTEGER,
    due_at INTEGER,
    -- When it has to be judged again, unless a run starts.
    check_at INTEGER,
    -- Why it can't be judged.
    problem TEXT,
    -- JSON: the run that is late or missed; null: none is.
    overdue TEXT,
    seq INTEGER NOT NULL,
    sent_seq INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  -- Runs that were late or missed, and are not any more, until D1 has them.
  CREATE TABLE overdue_runs (
    id TEXT PRIMARY KEY,
    -- JSON: as the API shows it.
    resource TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Whether there are no tables. */
export function isUninitialized(storage: DurableObjectStorage): boolean {
  return storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").toArray().length === 0;
}

/** Brings the storage of this object up to date. */
export function migrate(storage: DurableObjectStorage): void {
  applyMigrations(storage, MIGRATIONS);
}

/**
 * The name of the job of this object.
 *
 * It is stored because on an older runtime an object that an alarm started did not know its name. An uninitialized
 * object has no alarm.
 */
export function jobName(ctx: DurableObjectState): string {
  const kept = isUninitialized(ctx.storage)
    ? undefined
    : ctx.storage.sql.exec<{ job: string }>('SELECT job FROM identity').toArray()[0]?.job;
  const job = kept ?? ctx.id.name;
  if (job === undefined) throw new Error('a job object is addressed by its job name');
  return job;
}

/** Creates the tables. */
export function initializeStorage(storage: DurableObjectStorage, job: string): void {
  migrate(storage);
  storage.sql.exec('INSERT INTO identity (job) VALUES (?)', job);
}

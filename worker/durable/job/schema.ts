import { CREDENTIALS_TABLE } from '../credentials.ts';

/** The SQLite schema of a job's object, as the migrations that lead to it. Add to the end; never change one that shipped. */
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
    out_of_touch_since INTEGER,
    -- Which of the run's sockets speaks for it: the newest that said \`start\`.
    generation INTEGER NOT NULL,
    -- Set while the object doubts that the run lives: when it last heard of it.
    suspected_since INTEGER,
    exit_code INTEGER,
    command_exit_code INTEGER,
    signal TEXT,
    reason TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    pid INTEGER,
    command TEXT NOT NULL,
    wrapper_version TEXT NOT NULL,
    timeout_ms INTEGER,
    grace_ms INTEGER NOT NULL,
    output_end INTEGER NOT NULL,
    final_offset INTEGER,
    seq INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX runs_open ON runs (final) WHERE final = 0;

  CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_run ON events (run, id);

  -- The log of each run, without holes: a stretch that was lost on the machine has no stream and no bytes.
  CREATE TABLE output (
    run TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    stream TEXT,
    bytes BLOB,
    PRIMARY KEY (run, start)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    run TEXT,
    instance TEXT,
    machine TEXT,
    signal TEXT NOT NULL,
    grace_ms INTEGER NOT NULL,
    reason TEXT,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    seq INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX commands_by_expiry ON commands (expires_at);

  CREATE TABLE targets (
    command TEXT NOT NULL,
    run TEXT NOT NULL,
    state TEXT NOT NULL,
    survivors TEXT NOT NULL,
    -- How often the kill went down the run's present socket.
    sends INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (command, run)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX targets_by_run ON targets (run);

  CREATE TABLE deadlines (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    armed_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deadlines_by_due ON deadlines (due_at);

  -- What D1 has not been told yet. The row names it; what is sent is its state at that moment.
  CREATE TABLE outbox (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What the run's output takes in storage: its bytes, and ROW_COST_BYTES (64) for each row.
  ALTER TABLE runs ADD COLUMN output_size INTEGER NOT NULL DEFAULT 0;
  -- Where the head ends, which is kept as long as the job has room. Of runs from before it was noted none is kept.
  ALTER TABLE runs ADD COLUMN head_end INTEGER;
  -- The limit for which some of it had to go; null while all is there.
  ALTER TABLE runs ADD COLUMN trimmed_for TEXT;
  UPDATE runs SET output_size = (
    SELECT coalesce(sum(64 + iif(stream IS NULL, 0, "end" - start)), 0) FROM output WHERE run = runs.id
  );
  UPDATE runs SET head_end = 0 WHERE output_size > 0;
  CREATE INDEX runs_by_end ON runs (ended_at) WHERE ended_at IS NOT NULL;
  -- Runs that have ended and whose output is more than one gap.
  CREATE INDEX runs_by_end_to_trim ON runs (ended_at) WHERE ended_at IS NOT NULL AND output_size > 64;

  -- One row: the sum of all output_size.
  CREATE TABLE usage (output_bytes INTEGER NOT NULL) STRICT;
  INSERT INTO usage (output_bytes) SELECT coalesce(sum(output_size), 0) FROM runs;
  `,
  'ALTER TABLE commands ADD COLUMN request_id TEXT;',
  CREDENTIALS_TABLE,
  `
  ALTER TABLE runs ADD COLUMN successor INTEGER NOT NULL DEFAULT 0;
  -- JSON; null for a wrapper that did not say.
  ALTER TABLE runs ADD COLUMN host TEXT;
  -- JSON: what still runs of a run that has ended.
  ALTER TABLE runs ADD COLUMN left_running TEXT NOT NULL DEFAULT '[]';
  CREATE INDEX runs_with_left_processes ON runs (id) WHERE left_running <> '[]';
  `,
  `
  -- Whether others than those in \`survivors\` are left.
  ALTER TABLE targets ADD COLUMN unnamed_survivors INTEGER NOT NULL DEFAULT 0;
  UPDATE events SET event = json_set(event, '$.unnamed_survivors', json('false'))
    WHERE event ->> 'type' = 'kill_progress';

  ALTER TABLE runs ADD COLUMN kill_signal TEXT NOT NULL DEFAULT 'SIGTERM';
  -- The same, with a signal and a grace that may be null: each run's own.
  CREATE TABLE new_commands (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    run TEXT,
    instance TEXT,
    machine TEXT,
    signal TEXT,
    grace_ms INTEGER,
    reason TEXT,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    request_id TEXT
  ) STRICT;
  INSERT INTO new_commands (id, state, run, instance, machine, signal, grace_ms, reason, requested_by, requested_at,
      expires_at, seq, request_id)
    SELECT id, state, run, instance, machine, signal, grace_ms, reason, requested_by, requested_at,
      expires_at, seq, request_id FROM commands;
  DROP TABLE commands;
  ALTER TABLE new_commands RENAME TO commands;
  CREATE INDEX commands_by_expiry ON commands (expires_at);

  -- Whether the wrapper has answered. What was called delivered had only been sent.
  ALTER TABLE targets ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
  UPDATE targets SET acknowledged = 1 WHERE state IN ('term', 'kill', 'gone') OR EXISTS (
    SELECT 1 FROM events WHERE run = targets.run AND event ->> 'type' = 'kill_progress'
      AND event ->> 'command' = targets.command
  );
  UPDATE targets SET state = 'sent' WHERE state = 'delivered';
  UPDATE events SET event = json_set(event, '$.type', 'kill_sent') WHERE event ->> 'type' = 'kill_delivered';
  `,
  'ALTER TABLE commands ADD COLUMN batch TEXT;',
  `
  -- What is ended beside each run's own processes; null for nothing.
  ALTER TABLE commands ADD COLUMN include TEXT;
  -- JSON: what was left alone although it carries the run's mark.
  ALTER TABLE targets ADD COLUMN marked TEXT NOT NULL DEFAULT '[]';
  UPDATE events SET event = json_set(event, '$.marked', json('[]')) WHERE event ->> 'type' = 'kill_progress';
  UPDATE events SET event = json_set(event, '$.include', null) WHERE event ->> 'type' = 'kill_requested';
  `,
];

/**
 * Whether nothing was ever stored here, or nothing is any more. An object comes into being by being asked about, also
 * about a job that never was: until there is something to keep it has no tables, and leaves nothing behind.
 */
export function isBlank(storage: DurableObjectStorage): boolean {
  return storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").toArray().length === 0;
}

/** Brings the storage of this object up to date. */
export function migrate(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    storage.sql.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY) STRICT');
    const { applied } = storage.sql.exec<{ applied: number }>('SELECT count(*) AS applied FROM migrations').one();
    MIGRATIONS.slice(applied).forEach((migration, index) => {
      storage.sql.exec(migration);
      storage.sql.exec('INSERT INTO migrations (version) VALUES (?)', applied + index + 1);
    });
  });
}

/**
 * The name of the job this object is for.
 *
 * Kept, because on one older runtime an object that an alarm started did not know its name. A blank one has no alarm.
 */
export function jobName(ctx: DurableObjectState): string {
  const kept = isBlank(ctx.storage)
    ? undefined
    : ctx.storage.sql.exec<{ job: string }>('SELECT job FROM identity').toArray()[0]?.job;
  const job = kept ?? ctx.id.name;
  if (job === undefined) throw new Error('a job object is addressed by its job name');
  return job;
}

/** Makes the storage of a blank object. */
export function begin(storage: DurableObjectStorage, job: string): void {
  migrate(storage);
  storage.sql.exec('INSERT INTO identity (job) VALUES (?)', job);
}

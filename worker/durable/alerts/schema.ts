import { applyMigrations } from '../storage/migrations.ts';

/** The SQLite schema of the alerts object, as migrations. Append new ones; never change one that has shipped. */
const MIGRATIONS = [
  `
  -- The rules. Times are milliseconds since 1970, here and below.
  CREATE TABLE rules (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- JSON arrays: globs of jobs and machines, tags, kinds.
    jobs TEXT NOT NULL,
    machines TEXT NOT NULL,
    tags TEXT NOT NULL,
    kinds TEXT NOT NULL,
    -- JSON, with its secret.
    channel TEXT NOT NULL,
    kill_link INTEGER NOT NULL,
    muted_until INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    -- When the last group was closed, and how many followed each other closely: see group-timing.ts.
    last_closed_at INTEGER,
    streak INTEGER NOT NULL DEFAULT 0,
    -- Since when the channel fails, how often it has failed since, and whether another rule's channel has announced that.
    broken_since INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    is_announced INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  -- A rule's messages: at most one is open and collects occurrences, and one is being sent.
  CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    state TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    closed_at INTEGER,
    -- Whether it is about a job that the rule has not reported lately.
    has_news INTEGER NOT NULL DEFAULT 0,
    -- Occurrences that it has no room for.
    overflow INTEGER NOT NULL DEFAULT 0,
    -- When it is closed, or sent again; null: not before another message of the rule is done, or never.
    next_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX messages_by_rule ON messages (rule, id);
  CREATE INDEX messages_due ON messages (next_at) WHERE next_at IS NOT NULL;

  -- What each rule has got, once each; the message is null if it was muted or silenced.
  CREATE TABLE occurrences (
    rule TEXT NOT NULL,
    id TEXT NOT NULL,
    message TEXT,
    at INTEGER NOT NULL,
    job TEXT NOT NULL,
    -- JSON; null once it is not needed any more: then only the id is kept.
    body TEXT,
    PRIMARY KEY (rule, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX occurrences_by_message ON occurrences (message, at, id) WHERE message IS NOT NULL;
  CREATE INDEX occurrences_by_age ON occurrences (at);

  -- When a rule last reported something of a job.
  CREATE TABLE reported_jobs (
    rule TEXT NOT NULL,
    job TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (rule, job)
  ) STRICT, WITHOUT ROWID;

  -- What is wrong, for the rules that want to hear of its end: the first of each kind. An empty machine: of the job as a whole.
  CREATE TABLE problems (
    rule TEXT NOT NULL,
    job TEXT NOT NULL,
    machine TEXT NOT NULL,
    occurrence TEXT NOT NULL,
    kind TEXT NOT NULL,
    run TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (job, machine, rule, kind)
  ) STRICT, WITHOUT ROWID;

  -- Links by which a run can be killed, as hashes of their secrets.
  CREATE TABLE kill_links (
    hash TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    message TEXT NOT NULL,
    job TEXT NOT NULL,
    run TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kill_links_by_message ON kill_links (message, run);
  CREATE INDEX kill_links_by_end ON kill_links (expires_at);

  -- Entries of D1's audit log that D1 does not have yet.
  CREATE TABLE unsent_audit (
    id TEXT PRIMARY KEY,
    entry TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- When and why a rule's channel last failed, as JSON.
  ALTER TABLE rules ADD COLUMN last_failure TEXT;
  `,
];

/** Brings the storage of this object up to date. */
export function migrate(storage: DurableObjectStorage): void {
  applyMigrations(storage, MIGRATIONS);
}

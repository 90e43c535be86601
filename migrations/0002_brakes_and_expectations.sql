-- Times are milliseconds since 1970, UTC. Each statement may be repeated, and none has a semicolon inside.

-- Runs that failed, ran into a limit or did not start: a report finds them by when they ended. A run that succeeds is not
-- in it, nor one that was killed, which its kill names, nor one that was lost, which has an index of its own.
CREATE INDEX IF NOT EXISTS runs_bad ON runs (state, ended_at DESC, job, id, machine)
  WHERE state IN ('failed', 'timed_out', 'errored', 'skipped');
-- Runs that have left processes running, or took longer than expected.
CREATE INDEX IF NOT EXISTS runs_remarkable ON runs (ended_at DESC)
  WHERE resource ->> '$.left_running' <> '[]' OR resource ->> '$.slow_since' IS NOT NULL;
-- How jobs ended last, by machine. Written once for a job on a machine: how and when it ended is not in the index.
CREATE INDEX IF NOT EXISTS last_ends_by_machine ON last_ends (machine, job);

-- Standing orders of operators: brakes, and maintenance, which is a brake that kills nothing.
CREATE TABLE IF NOT EXISTS brakes (
  id TEXT PRIMARY KEY,
  jobs TEXT NOT NULL, -- JSON array of globs
  machines TEXT NOT NULL, -- JSON array of globs
  reason TEXT,
  until INTEGER NOT NULL,
  kills INTEGER NOT NULL,
  created_by TEXT NOT NULL, -- the name of the token
  created_by_id TEXT NOT NULL, -- its id
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS brakes_by_end ON brakes (until);

-- When runs of a job are expected, and whether that holds, as the job's object last said.
CREATE TABLE IF NOT EXISTS expectations (
  job TEXT NOT NULL,
  machine TEXT NOT NULL, -- empty: any
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  resource TEXT NOT NULL, -- the expectation as the API shows it, JSON
  PRIMARY KEY (job, machine)
) STRICT, WITHOUT ROWID;
-- Those that need attention.
CREATE INDEX IF NOT EXISTS expectations_broken ON expectations (since DESC, job, machine) WHERE state IN ('late', 'missed');

-- Runs that were late or missed, and have come since, or are not expected any more. Those that still are: expectations.
CREATE TABLE IF NOT EXISTS overdue_runs (
  job TEXT NOT NULL,
  machine TEXT NOT NULL, -- empty: any
  judged_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  resource TEXT NOT NULL, -- as the API shows it, JSON
  PRIMARY KEY (job, machine, judged_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS overdue_runs_by_end ON overdue_runs (ended_at DESC);

-- What a job is, as its newest run says: its tags, owner, runbook and note.
CREATE TABLE IF NOT EXISTS job_abouts (
  job TEXT PRIMARY KEY,
  about TEXT NOT NULL, -- JSON
  run TEXT NOT NULL -- the run that said so
) STRICT, WITHOUT ROWID;

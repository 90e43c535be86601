-- The whole D1 schema: the kill queue, the index that lists are read from, and who may do what.
-- The truth about runs and kills is in the job objects. What is stored here of them is the last state they sent.
-- Times are milliseconds since 1970, UTC.
--
-- D1 may split this file at each semicolon, so one stands only at the end of a statement, not even in a comment. Each
-- statement may be repeated: an interrupted deploy starts again at the first.

CREATE TABLE IF NOT EXISTS tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL, -- JSON array of scopes
  jobs TEXT NOT NULL, -- glob
  machines TEXT NOT NULL, -- glob
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER -- give or take some minutes
) STRICT;

-- A token has one secret, and after a rotation for a while the one before, too.
CREATE TABLE IF NOT EXISTS secrets (
  hash TEXT PRIMARY KEY, -- SHA-256 of the secret, hex
  token TEXT NOT NULL,
  expires_at INTEGER -- set once another has taken its place
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS secrets_by_token ON secrets (token);
CREATE INDEX IF NOT EXISTS secrets_replaced ON secrets (expires_at) WHERE expires_at IS NOT NULL;

-- Which objects hold sockets that were opened with a token: whom to tell when that ends.
CREATE TABLE IF NOT EXISTS open_sockets (
  token TEXT NOT NULL,
  session TEXT NOT NULL, -- the hash of the page's session, or empty for those opened with the token itself
  object TEXT NOT NULL, -- the job, or empty for the fleet's object
  stale INTEGER NOT NULL, -- 1: something has ended since, and the object has yet to look
  PRIMARY KEY (token, object, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_sockets_stale ON open_sockets (token, object) WHERE stale = 1;

-- A signed-in page. It lives no longer than the secret it was opened with.
CREATE TABLE IF NOT EXISTS sessions (
  hash TEXT PRIMARY KEY, -- SHA-256 of the cookie's value, hex
  token_hash TEXT NOT NULL, -- of that secret
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at);

CREATE TABLE IF NOT EXISTS jobs (
  name TEXT PRIMARY KEY,
  first_seen_at INTEGER NOT NULL,
  -- When the sweep last looked after the job's object.
  checked_at INTEGER NOT NULL
) STRICT;

-- A run is named by its job and its id: nothing keeps two jobs from reporting the same id.
CREATE TABLE IF NOT EXISTS runs (
  id TEXT NOT NULL,
  job TEXT NOT NULL,
  machine TEXT NOT NULL,
  state TEXT NOT NULL,
  final INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  -- 0 while it lives. After its end, how long it took: null for less than four minutes, otherwise the first of these
  -- bounds that it stayed below: 16 minutes, 64, and so on. What was alive at some moment and has ended since is found
  -- with it: of each span, among the few runs that had started at most so long before.
  span INTEGER,
  indexed_at INTEGER NOT NULL, -- when it came here: of two jobs that report the same id, which was first
  seq INTEGER NOT NULL,
  resource TEXT NOT NULL, -- the run as the API shows it, JSON
  -- The id first: a run is also looked for by its id alone, and needs no index more for that.
  PRIMARY KEY (id, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_start ON runs (started_at DESC, id DESC, job DESC);
CREATE INDEX IF NOT EXISTS runs_by_job ON runs (job, started_at DESC, id DESC);
-- Of most runs only while they live: leaving an index costs no row.
CREATE INDEX IF NOT EXISTS runs_by_span ON runs (span, started_at DESC, id DESC, job DESC, ended_at) WHERE span IS NOT NULL;
-- Those that may still be alive: lost ones too, until their true end is known.
CREATE INDEX IF NOT EXISTS runs_open ON runs (job, started_at DESC, id DESC, machine, state) WHERE final = 0;

-- Those that failed, ran into a limit or did not start: a report finds them by when they ended. A run that succeeds is not
-- in it, nor one that was killed, which its kill names, nor one that was lost, which has an index of its own.
CREATE INDEX IF NOT EXISTS runs_bad ON runs (state, ended_at DESC, job, id, machine)
  WHERE state IN ('failed', 'timed_out', 'errored', 'skipped');
-- Those that have left processes running, or took longer than expected.
CREATE INDEX IF NOT EXISTS runs_remarkable ON runs (ended_at DESC)
  WHERE resource ->> '$.left_running' <> '[]' OR resource ->> '$.slow_since' IS NOT NULL;
-- Those that were lost for good.
CREATE INDEX IF NOT EXISTS runs_lost ON runs (ended_at) WHERE state = 'lost' AND final = 1;

-- How each job ended last on each machine. Only ends that nothing can change any more: a run that may come back is open.
CREATE TABLE IF NOT EXISTS last_ends (
  job TEXT NOT NULL,
  machine TEXT NOT NULL,
  run TEXT NOT NULL,
  state TEXT NOT NULL,
  exit_code INTEGER,
  ended_at INTEGER NOT NULL,
  PRIMARY KEY (job, machine)
) STRICT, WITHOUT ROWID;
-- Those that need attention.
CREATE INDEX IF NOT EXISTS last_ends_bad ON last_ends (job, ended_at DESC) WHERE state IN ('failed', 'timed_out', 'lost', 'errored');
-- By machine. Written once for a job on a machine: how and when it ended is not in the index.
CREATE INDEX IF NOT EXISTS last_ends_by_machine ON last_ends (machine, job);

-- The queue. A kill stays here until its job's object has accepted it, and as a record after that.
CREATE TABLE IF NOT EXISTS kills (
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0, -- 1: the object has stored it
  seq INTEGER NOT NULL DEFAULT 0,
  resource TEXT NOT NULL, -- the kill as the API shows it, JSON
  batch TEXT, -- the same for all kills that one call has made, if it made several
  key TEXT, -- JSON: the Idempotency-Key of the call, for the job's object
  state TEXT GENERATED ALWAYS AS (resource ->> '$.state') VIRTUAL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kills_by_job ON kills (job, id DESC);
CREATE INDEX IF NOT EXISTS kills_by_batch ON kills (batch) WHERE batch IS NOT NULL;
-- Few are open at any time, those that no object has accepted among them.
CREATE INDEX IF NOT EXISTS kills_open ON kills (job, id) WHERE state IN ('queued', 'delivered');

-- Idempotency-Key: the same call twice is one kill.
CREATE TABLE IF NOT EXISTS idempotency (
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- of the request the key was first used for
  kill TEXT NOT NULL, -- or the batch
  created_at INTEGER NOT NULL,
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_by_age ON idempotency (created_at);

CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY, -- in the order of the commits, so that a list can go on where it was
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  last_at INTEGER NOT NULL, -- later than `at` where several refusals are counted as one entry
  count INTEGER NOT NULL,
  actor TEXT, -- the token's id, or null when the caller is unknown
  actor_name TEXT,
  action TEXT NOT NULL,
  subject TEXT NOT NULL, -- what it was done to
  detail TEXT NOT NULL, -- JSON, never holding a secret
  address TEXT, -- the client's
  request_id TEXT NOT NULL,
  gathered TEXT -- what refusals that are counted as one have in common
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS audit_gathered ON audit (gathered) WHERE gathered IS NOT NULL;
-- Most entries are kills. These indexes leave them out, so the entry of a kill is a single row. Lists that may contain kills
-- are read by `seq`, a limited number of entries for each page.
CREATE INDEX IF NOT EXISTS audit_by_actor ON audit (actor, seq) WHERE action <> 'kill';
CREATE INDEX IF NOT EXISTS audit_by_action ON audit (action, seq) WHERE action <> 'kill';
CREATE INDEX IF NOT EXISTS audit_by_subject ON audit (subject, seq) WHERE action <> 'kill';

-- What has happened so far. It only goes up, whatever rows are deleted. One row, so that a commit that counts several
-- things writes one: a JSON object of numbers. A bucket of `kill_seconds` counts the kills that took at most as long as its
-- label says and longer than that of the one before.
CREATE TABLE IF NOT EXISTS counters (counts TEXT NOT NULL) STRICT;
INSERT INTO counters (counts) SELECT '{
  "runs_ended/succeeded": 0, "runs_ended/failed": 0, "runs_ended/killed": 0,
  "runs_ended/timed_out": 0, "runs_ended/lost": 0, "runs_ended/errored": 0,
  "kills": 0,
  "kill_seconds/0.1": 0, "kill_seconds/0.25": 0, "kill_seconds/0.5": 0,
  "kill_seconds/1": 0, "kill_seconds/2.5": 0, "kill_seconds/5": 0,
  "kill_seconds/10": 0, "kill_seconds/30": 0, "kill_seconds/60": 0,
  "kill_seconds/300": 0, "kill_seconds/+Inf": 0,
  "kill_seconds_sum": 0,
  "run_id_conflicts": 0
}' WHERE NOT EXISTS (SELECT 1 FROM counters);

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

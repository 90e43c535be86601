-- The whole D1 schema: the command queue, the index that lists are read from, and who may do what.
-- The truth about runs and commands is in the job objects; what stands here of them is the last state they sent.
-- Times are milliseconds since 1970, UTC.

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE, -- SHA-256 of the secret, hex
  scopes TEXT NOT NULL, -- JSON array of scopes
  jobs TEXT NOT NULL, -- glob
  machines TEXT NOT NULL, -- glob
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;

-- A signed-in page. It lives no longer than the token it was opened with.
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY, -- SHA-256 of the cookie's value, hex
  token_hash TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE jobs (
  name TEXT PRIMARY KEY,
  first_seen_at INTEGER NOT NULL,
  -- When the sweep last looked after the job's object.
  checked_at INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL,
  machine TEXT NOT NULL,
  state TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  resource TEXT NOT NULL -- the run as the API shows it, JSON
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at DESC, id DESC);
CREATE INDEX runs_by_job ON runs (job, started_at DESC, id DESC);
CREATE INDEX runs_live ON runs (job) WHERE state IN ('running', 'killing');

-- The queue. A command stays here until its job's object has accepted it, and as a record after that.
CREATE TABLE commands (
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0, -- 1: the object has stored it
  seq INTEGER NOT NULL DEFAULT 0,
  resource TEXT NOT NULL -- the command as the API shows it, JSON
) STRICT;
CREATE INDEX commands_unaccepted ON commands (job, requested_at) WHERE accepted = 0;

-- Idempotency-Key: the same call twice is one command.
CREATE TABLE idempotency (
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- of the request the key was first used for
  command TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL, -- the token's id
  action TEXT NOT NULL,
  subject TEXT NOT NULL, -- what it was done to
  detail TEXT NOT NULL, -- JSON, never holding a secret
  address TEXT, -- the client's
  request_id TEXT NOT NULL
) STRICT;

-- Tokens that can be rotated and whose open sockets can be found; an audit that can be read page by page.

CREATE TABLE secrets (
  hash TEXT PRIMARY KEY, -- SHA-256 of the secret, hex
  token TEXT NOT NULL,
  expires_at INTEGER -- set once another has taken its place
) STRICT, WITHOUT ROWID;
CREATE INDEX secrets_by_token ON secrets (token);
CREATE INDEX secrets_replaced ON secrets (expires_at) WHERE expires_at IS NOT NULL;
INSERT INTO secrets (hash, token) SELECT hash, id FROM tokens;

CREATE TABLE tokens_before AS SELECT * FROM tokens;
DROP TABLE tokens;
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL, -- JSON array of scopes
  jobs TEXT NOT NULL, -- glob
  machines TEXT NOT NULL, -- glob
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER
) STRICT;
INSERT INTO tokens (id, name, scopes, jobs, machines, created_at, expires_at)
  SELECT id, name, scopes, jobs, machines, created_at, expires_at FROM tokens_before;
DROP TABLE tokens_before;

CREATE TABLE open_sockets (
  token TEXT NOT NULL,
  session TEXT NOT NULL,
  object TEXT NOT NULL,
  stale INTEGER NOT NULL,
  PRIMARY KEY (token, object, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_sockets_stale ON open_sockets (token, object) WHERE stale = 1;

CREATE TABLE audit_before AS SELECT * FROM audit;
DROP TABLE audit;
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  actor TEXT,
  actor_name TEXT,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  address TEXT,
  request_id TEXT NOT NULL,
  gathered TEXT UNIQUE
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE INDEX audit_by_subject ON audit (subject, seq);
INSERT INTO audit (id, at, last_at, count, actor, actor_name, action, subject, detail, address, request_id)
  SELECT entry.id, at, at, 1, actor, coalesce(tokens.name, actor), action, subject, detail, address, request_id
  FROM audit_before AS entry LEFT JOIN tokens ON tokens.id = actor ORDER BY entry.id;
DROP TABLE audit_before;

-- What may still be alive, and what has still to be done: for kills by selector and for /metrics.
ALTER TABLE runs ADD COLUMN final INTEGER GENERATED ALWAYS AS (resource ->> '$.final') VIRTUAL;
CREATE INDEX runs_open ON runs (job, machine, state) WHERE final = 0;
ALTER TABLE commands ADD COLUMN batch TEXT;
ALTER TABLE commands ADD COLUMN state TEXT GENERATED ALWAYS AS (resource ->> '$.state') VIRTUAL;
CREATE INDEX commands_by_batch ON commands (batch) WHERE batch IS NOT NULL;
CREATE INDEX commands_open ON commands (requested_at) WHERE state IN ('queued', 'delivered');

-- What has happened so far. It only goes up, whatever rows are deleted.
CREATE TABLE counters (
  name TEXT NOT NULL,
  label TEXT NOT NULL,
  value REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (name, label)
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, label) VALUES
  ('runs_ended', 'succeeded'), ('runs_ended', 'failed'), ('runs_ended', 'killed'),
  ('runs_ended', 'timed_out'), ('runs_ended', 'lost'), ('runs_ended', 'errored'),
  ('kills', ''),
  ('kill_seconds_bucket', '0.1'), ('kill_seconds_bucket', '0.25'), ('kill_seconds_bucket', '0.5'),
  ('kill_seconds_bucket', '1'), ('kill_seconds_bucket', '2.5'), ('kill_seconds_bucket', '5'),
  ('kill_seconds_bucket', '10'), ('kill_seconds_bucket', '30'), ('kill_seconds_bucket', '60'),
  ('kill_seconds_bucket', '300'), ('kill_seconds_bucket', '+Inf'),
  ('kill_seconds_sum', '');

CREATE TRIGGER count_first_end AFTER INSERT ON runs
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'runs_ended' AND label = new.state;
END;

CREATE TRIGGER count_end AFTER UPDATE ON runs WHEN new.state <> old.state
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'runs_ended' AND label = new.state;
END;

CREATE TRIGGER count_kill AFTER INSERT ON commands
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'kills';
END;

-- Only what stopped something: a target that had ended before, or that nobody could reach, took no time.
CREATE TRIGGER count_settlement AFTER UPDATE ON commands
WHEN new.state = 'settled' AND old.state <> 'settled'
  AND EXISTS (SELECT 1 FROM json_each(new.resource, '$.targets') WHERE value ->> 'state' = 'gone')
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'kill_seconds_bucket'
    AND (label = '+Inf' OR CAST(label AS REAL) >= unixepoch('subsec') - new.requested_at / 1000.0);
  UPDATE counters SET value = value + max(0, unixepoch('subsec') - new.requested_at / 1000.0)
    WHERE name = 'kill_seconds_sum';
END;

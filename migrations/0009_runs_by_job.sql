-- A run id says nothing of whose run it is: two jobs may report the same, and each has its own row.
-- Until the Worker that belongs to this schema is there, the changes of runs wait in the outboxes of the jobs' objects.
DROP INDEX runs_by_start;
DROP INDEX runs_by_job;
DROP INDEX runs_by_span;
DROP INDEX runs_open;
DROP INDEX runs_lost;
ALTER TABLE runs RENAME TO runs_before;
CREATE TABLE runs (
  id TEXT NOT NULL,
  job TEXT NOT NULL,
  machine TEXT NOT NULL,
  state TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  resource TEXT NOT NULL,
  final INTEGER GENERATED ALWAYS AS (resource ->> '$.final') VIRTUAL,
  ended_at INTEGER GENERATED ALWAYS AS (
    CAST(round(unixepoch(resource ->> '$.ended_at', 'subsec') * 1000) AS INTEGER)
  ) VIRTUAL,
  span INTEGER GENERATED ALWAYS AS (CASE
    WHEN state IN ('running', 'killing') THEN 0
    WHEN ended_at - started_at < 60000 THEN 60000
    WHEN ended_at - started_at < 240000 THEN 240000
    WHEN ended_at - started_at < 960000 THEN 960000
    WHEN ended_at - started_at < 3840000 THEN 3840000
    WHEN ended_at - started_at < 15360000 THEN 15360000
    WHEN ended_at - started_at < 61440000 THEN 61440000
    WHEN ended_at - started_at < 245760000 THEN 245760000
    WHEN ended_at - started_at < 983040000 THEN 983040000
    WHEN ended_at - started_at < 3932160000 THEN 3932160000
    ELSE 1000000000000000
  END) VIRTUAL,
  PRIMARY KEY (id, job)
) STRICT;
INSERT INTO runs (id, job, machine, state, started_at, seq, resource)
  SELECT id, job, machine, state, started_at, seq, resource FROM runs_before;
DROP TABLE runs_before;
CREATE INDEX runs_by_start ON runs (started_at DESC, id DESC, job DESC);
CREATE INDEX runs_by_job ON runs (job, started_at DESC, id DESC);
CREATE INDEX runs_by_span ON runs (span, started_at DESC, id DESC, job DESC, ended_at);
CREATE INDEX runs_open ON runs (job, started_at DESC, id DESC, machine, state) WHERE final = 0;
CREATE INDEX runs_lost ON runs (ended_at) WHERE state = 'lost' AND final = 1;

INSERT INTO counters (name, label) VALUES ('run_id_conflicts', '');

CREATE TRIGGER count_first_end AFTER INSERT ON runs
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'runs_ended' AND label = new.state;
END;

CREATE TRIGGER count_end AFTER UPDATE ON runs WHEN new.state <> old.state
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'runs_ended' AND label = new.state;
END;

CREATE TRIGGER count_run_id_conflict AFTER INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE id = new.id AND job <> new.job)
BEGIN
  UPDATE counters SET value = value + 1 WHERE name = 'run_id_conflicts';
END;

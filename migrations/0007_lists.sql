-- For lists: runs that were alive at some time, those that live in the order of their starts, and the commands of a job.
ALTER TABLE runs ADD COLUMN ended_at INTEGER GENERATED ALWAYS AS (
  CAST(round(unixepoch(resource ->> '$.ended_at', 'subsec') * 1000) AS INTEGER)
) VIRTUAL;
ALTER TABLE runs ADD COLUMN span INTEGER GENERATED ALWAYS AS (CASE
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
END) VIRTUAL;
CREATE INDEX runs_by_span ON runs (span, started_at DESC, id DESC, job, ended_at);
DROP INDEX runs_live;
DROP INDEX runs_open;
CREATE INDEX runs_open ON runs (job, started_at DESC, id DESC, machine, state) WHERE final = 0;
CREATE INDEX commands_by_job ON commands (job, id DESC);

-- How each job ended last on each machine. Only ends that nothing can change any more: a run that may come back is open.
CREATE TABLE last_ends (
  job TEXT NOT NULL,
  machine TEXT NOT NULL,
  run TEXT NOT NULL,
  state TEXT NOT NULL,
  exit_code INTEGER,
  ended_at INTEGER NOT NULL,
  PRIMARY KEY (job, machine)
) STRICT, WITHOUT ROWID;
-- Those that need attention.
CREATE INDEX last_ends_bad ON last_ends (job, ended_at DESC) WHERE state IN ('failed', 'timed_out', 'lost', 'errored');
INSERT INTO last_ends (job, machine, run, state, exit_code, ended_at)
  -- Of a group SQLite takes the other columns from the row that has the maximum.
  SELECT job, machine, id, state, resource ->> '$.exit_code', max(coalesce(ended_at, started_at)) FROM runs
  WHERE final = 1 GROUP BY job, machine;

CREATE TRIGGER last_end_of_new_run AFTER INSERT ON runs WHEN new.final = 1
BEGIN
  INSERT INTO last_ends (job, machine, run, state, exit_code, ended_at)
    VALUES (new.job, new.machine, new.id, new.state, new.resource ->> '$.exit_code', coalesce(new.ended_at, new.started_at))
    ON CONFLICT (job, machine) DO UPDATE
      SET run = excluded.run, state = excluded.state, exit_code = excluded.exit_code, ended_at = excluded.ended_at
      WHERE (excluded.ended_at, excluded.run) > (last_ends.ended_at, last_ends.run);
END;

CREATE TRIGGER last_end_of_run AFTER UPDATE ON runs WHEN new.final = 1 AND old.final = 0
BEGIN
  INSERT INTO last_ends (job, machine, run, state, exit_code, ended_at)
    VALUES (new.job, new.machine, new.id, new.state, new.resource ->> '$.exit_code', coalesce(new.ended_at, new.started_at))
    ON CONFLICT (job, machine) DO UPDATE
      SET run = excluded.run, state = excluded.state, exit_code = excluded.exit_code, ended_at = excluded.ended_at
      WHERE (excluded.ended_at, excluded.run) > (last_ends.ended_at, last_ends.run);
END;

-- Runs are forgotten by their ends, the oldest first: with the last end of a machine nothing older is left of it.
CREATE TRIGGER forget_last_end AFTER DELETE ON runs
BEGIN
  DELETE FROM last_ends WHERE job = old.job AND machine = old.machine AND run = old.id;
END;

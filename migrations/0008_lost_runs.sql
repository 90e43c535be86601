-- For metrics: the runs that were lost for good, by when.
CREATE INDEX runs_lost ON runs (ended_at) WHERE state = 'lost' AND final = 1;

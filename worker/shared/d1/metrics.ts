/** The figures that monitors ask for, read from the index: no object is woken for them. */

export interface Metrics {
  /** Runs that may still be alive, by state; of those that are lost for good the ones that a person may not have seen yet. */
  readonly openRuns: ReadonlyMap<string, number>;
  /** Since the counters are there, by end state: each change into one counts. */
  readonly runsEnded: ReadonlyMap<string, number>;
  readonly kills: number;
  /** Runs that were reported with the id of another job's. */
  readonly runIdConflicts: number;
  readonly killSeconds: {
    /** How many settled within at most so many seconds, by that bound, in its order. */
    readonly buckets: readonly (readonly [bound: string, count: number])[];
    readonly sum: number;
  };
  /** When the oldest kill was given that its object has not taken from the queue yet. */
  readonly oldestUnaccepted: number | null;
  /** When the oldest kill was given that has neither been settled nor expired. */
  readonly oldestOpen: number | null;
}

/** Each reads a table of a few rows, or an index that holds what is open and nothing else. */
export const METRIC_QUERIES = {
  counters: 'SELECT name, label, value FROM counters',
  openRuns: 'SELECT state, count(*) AS count FROM runs WHERE final = 0 GROUP BY state',
  // With its wrapper gone nobody will ever tell of such a run, and its command may go on: a person has to look. To count it
  // until it is forgotten would leave an alarm on for months.
  lostForGood: `SELECT count(*) AS count FROM runs WHERE state = 'lost' AND final = 1
    AND ended_at > (unixepoch() - 86400) * 1000 AND resource ->> '$.reason' = 'wrapper_died'`,
  oldestUnaccepted: 'SELECT min(requested_at) AS at FROM kills WHERE accepted = 0',
  oldestOpen: "SELECT min(requested_at) AS at FROM kills WHERE state IN ('queued', 'delivered')",
} as const;

type Counter = { name: string; label: string; value: number };
type OpenRuns = { state: string; count: number };

export async function readMetrics(db: D1Database): Promise<Metrics> {
  const [counters, openRuns, lostForGood, oldestUnaccepted, oldestOpen] = await db.batch(
    [
      METRIC_QUERIES.counters,
      METRIC_QUERIES.openRuns,
      METRIC_QUERIES.lostForGood,
      METRIC_QUERIES.oldestUnaccepted,
      METRIC_QUERIES.oldestOpen,
    ].map((query) => db.prepare(query)),
  );
  const rows = (counters?.results ?? []) as Counter[];
  const labelled = (name: string) =>
    rows.filter((row) => row.name === name).map(({ label, value }) => [label, value] as const);
  const single = (name: string) => labelled(name)[0]?.[1] ?? 0;
  const open = new Map(((openRuns?.results ?? []) as OpenRuns[]).map(({ state, count }) => [state, count]));
  const lost = ((lostForGood?.results ?? []) as Pick<OpenRuns, 'count'>[])[0]?.count ?? 0;
  return {
    openRuns: open.set('lost', (open.get('lost') ?? 0) + lost),
    runsEnded: new Map(labelled('runs_ended')),
    kills: single('kills'),
    runIdConflicts: single('run_id_conflicts'),
    killSeconds: {
      buckets: labelled('kill_seconds_bucket').sort(([a], [b]) => boundOf(a) - boundOf(b)),
      sum: single('kill_seconds_sum'),
    },
    oldestUnaccepted: firstTime(oldestUnaccepted),
    oldestOpen: firstTime(oldestOpen),
  };
}

function boundOf(label: string): number {
  return label === '+Inf' ? Number.POSITIVE_INFINITY : Number(label);
}

function firstTime(result: D1Result | undefined): number | null {
  return (result?.results as { at: number | null }[] | undefined)?.[0]?.at ?? null;
}

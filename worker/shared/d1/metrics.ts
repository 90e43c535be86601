/** Metrics, read from the index: no object is woken for them. */
import { type HopTimes, hopTimes, killHops } from './kill-hops.ts';

export interface Metrics {
  /** Runs that may be alive, by state; and for a day those whose wrapper died, which someone should look at. */
  readonly openRuns: ReadonlyMap<string, number>;
  /** Expectations that do not hold, by state. */
  readonly brokenExpectations: ReadonlyMap<string, number>;
  /** Ends of runs, by state. */
  readonly runsEnded: ReadonlyMap<string, number>;
  readonly kills: number;
  /** Runs that were reported with the id of another job's run. */
  readonly runIdConflicts: number;
  readonly killSeconds: {
    /** How many kills settled within `bound` seconds, sorted by bound. */
    readonly buckets: readonly (readonly [bound: string, count: number])[];
    readonly sum: number;
  };
  /** Of recent kills. */
  readonly killHops: readonly HopTimes[];
  /** How much D1 stores. */
  readonly d1Bytes: number;
  /** When the oldest kill in the queue was requested. */
  readonly oldestUnaccepted: number | null;
  /** When the oldest kill was requested that has neither settled nor expired. */
  readonly oldestOpen: number | null;
}

/** Each reads a small table, or an index of open rows only. */
export const METRIC_QUERIES = {
  counters: 'SELECT key, value FROM counters, json_each(counts)',
  openRuns: 'SELECT state, count(*) AS count FROM runs WHERE final = 0 GROUP BY state',
  // Without its wrapper, such a run is never reported again, though its command may still run: someone has to look. Counting
  // it until it is purged would leave an alert on for months.
  lostForGood: `SELECT count(*) AS count FROM runs WHERE state = 'lost' AND final = 1
    AND ended_at > (unixepoch() - 86400) * 1000 AND resource ->> '$.reason' = 'wrapper_died'`,
  brokenExpectations:
    "SELECT state, count(*) AS count FROM expectations WHERE state IN ('late', 'missed') GROUP BY state",
  oldestUnaccepted: "SELECT min(requested_at) AS at FROM kills WHERE state IN ('queued', 'delivered') AND accepted = 0",
  oldestOpen: "SELECT min(requested_at) AS at FROM kills WHERE state IN ('queued', 'delivered')",
} as const;

type Counter = { key: string; value: number };
type OpenRuns = { state: string; count: number };

export async function readMetrics(db: D1Database, now: number): Promise<Metrics> {
  const [hops, counters, openRuns, lostForGood, broken, oldestUnaccepted, oldestOpen] = await db.batch([
    killHops(db, now),
    ...[
      METRIC_QUERIES.counters,
      METRIC_QUERIES.openRuns,
      METRIC_QUERIES.lostForGood,
      METRIC_QUERIES.brokenExpectations,
      METRIC_QUERIES.oldestUnaccepted,
      METRIC_QUERIES.oldestOpen,
    ].map((query) => db.prepare(query)),
  ]);
  const counts = new Map(((counters?.results ?? []) as Counter[]).map(({ key, value }) => [key, value]));
  const single = (name: string) => counts.get(name) ?? 0;
  const labelled = (name: string) =>
    [...counts].flatMap(([key, value]) =>
      key.startsWith(`${name}/`) ? [[key.slice(name.length + 1), value] as const] : [],
    );
  const open = countsByState(openRuns);
  const lost = ((lostForGood?.results ?? []) as Pick<OpenRuns, 'count'>[])[0]?.count ?? 0;
  return {
    openRuns: open.set('lost', (open.get('lost') ?? 0) + lost),
    brokenExpectations: countsByState(broken),
    runsEnded: new Map(labelled('runs_ended')),
    kills: single('kills'),
    runIdConflicts: single('run_id_conflicts'),
    killSeconds: { buckets: cumulative(labelled('kill_seconds')), sum: single('kill_seconds_sum') },
    killHops: hopTimes(hops?.results ?? []),
    d1Bytes: counters?.meta.size_after ?? 0,
    oldestUnaccepted: firstTime(oldestUnaccepted),
    oldestOpen: firstTime(oldestOpen),
  };
}

function countsByState(result: D1Result | undefined): Map<string, number> {
  return new Map(((result?.results ?? []) as OpenRuns[]).map(({ state, count }) => [state, count]));
}

/** As Prometheus wants them: each bucket counts those before it as well. */
function cumulative(buckets: readonly (readonly [bound: string, count: number])[]): Metrics['killSeconds']['buckets'] {
  const sorted = buckets.toSorted(([one], [other]) => boundOf(one) - boundOf(other));
  const countUpTo = (index: number) => sorted.slice(0, index + 1).reduce((sum, [, count]) => sum + count, 0);
  return sorted.map(([bound], index) => [bound, countUpTo(index)] as const);
}

function boundOf(label: string): number {
  return label === '+Inf' ? Number.POSITIVE_INFINITY : Number(label);
}

function firstTime(result: D1Result | undefined): number | null {
  return (result?.results as { at: number | null }[] | undefined)?.[0]?.at ?? null;
}

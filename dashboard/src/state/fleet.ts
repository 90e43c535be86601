/** All jobs and open runs that this session may see, kept up to date while a component uses them. */
import { batch, computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fetchBrokenExpectations, fetchJobs, fetchKills } from '../api/calls.ts';
import { type Failure, success } from '../api/failure.ts';
import { resyncKills, upsertKills } from './kills.ts';
import { type IsOutdated, resyncOpenRuns } from './resync.ts';
import { type JobSummary, type Runs, store } from './store.ts';
import { Sync } from './sync.ts';

/** Each lists all its targets. */
const KILLS_PER_PAGE = 100;

export interface Fleet {
  readonly open: Runs;
  readonly jobs: ReadonlyMap<string, JobSummary>;
}

export const fleet = computed<Fleet>(() => ({ open: store.open.value, jobs: store.jobs.value }));
export const openRuns = store.open;
/** Whether complete lists were fetched once: before that, what is missing may still come. */
export const loaded = signal(false);
/** What is shown at first comes at once: one after the other, they would push each other aside. */
const FIRST_LISTS = ['jobs', 'runs', 'expectations'] as const;
type FirstList = (typeof FIRST_LISTS)[number];

/** Whether a page of each list was fetched, of jobs and of open runs, and what is late. */
export const hasBegun = signal(false);
/** Which lists have more than was fetched. */
export const truncated = signal({ jobs: false, runs: false });

const brakeListeners = new Set<() => void>();

/** Calls back when brakes were set or ended. @returns ends that */
export function onBrakesChanged(listener: () => void): () => void {
  brakeListeners.add(listener);
  return () => void brakeListeners.delete(listener);
}

const sync = new Sync({
  open: async () => success('/watch'),
  resync,
  heard: ({ type }) => {
    if (type === 'brakes') for (const listener of brakeListeners) listener();
  },
});
export const { status: syncStatus, failure } = sync;

/** Another person may sign in next. */
export function clearFleet(): void {
  batch(() => {
    store.clear();
    loaded.value = false;
    hasBegun.value = false;
    truncated.value = { jobs: false, runs: false };
  });
}

let users = 0;

/** Whether any component follows the fleet: the pages of a run and of a job have sockets of their own. */
export const isFollowed = signal(false);

/** Keeps the fleet up to date while the component is mounted. */
export function useFleet(): void {
  useEffect(() => {
    users += 1;
    isFollowed.value = true;
    sync.start();
    return () => {
      users -= 1;
      // Between two views there is a moment without any: the socket stays open.
      setTimeout(() => {
        if (users > 0) return;
        isFollowed.value = false;
        sync.stop();
      });
    };
  }, []);
}

/** Each page is shown as it comes: ten thousand runs take a moment. */
async function resync(isOutdated: IsOutdated): Promise<Failure | null> {
  const before = [...store.jobs.peek().values()];
  const begun = new Set<FirstList>();
  const show = (list: FirstList) => {
    hasBegun.value ||= begun.add(list).size === FIRST_LISTS.length;
  };
  const [jobs, runs, kills, broken] = await Promise.all([
    fetchJobs((page) => {
      if (isOutdated()) return;
      batch(() => {
        store.apply({ jobs: page });
        show('jobs');
      });
    }),
    resyncOpenRuns({}, isOutdated, () => show('runs')),
    fetchMissedKills(),
    resyncExpectations(isOutdated, () => show('expectations')),
  ]);
  if (isOutdated()) return null;
  if (!jobs.ok) return jobs.failure;
  if (!runs.ok) return runs.failure;
  if (kills !== null) return kills;
  if (broken !== null) return broken;
  batch(() => {
    truncated.value = { jobs: jobs.value.isTruncated, runs: runs.value.isTruncated };
    if (!jobs.value.isTruncated) store.removeUnlisted(before, jobs.value.items);
    loaded.value = true;
  });
  return null;
}

async function resyncExpectations(isOutdated: IsOutdated, shown: () => void): Promise<Failure | null> {
  const before = [...store.expectations.peek().values()];
  const broken = await fetchBrokenExpectations();
  if (!broken.ok) return broken.failure;
  if (isOutdated()) return null;
  batch(() => {
    store.apply({ expectations: broken.value });
    store.removeMended(before, broken.value);
    shown();
  });
  return null;
}

async function fetchMissedKills(): Promise<Failure | null> {
  const [failure, inProgress] = await Promise.all([
    resyncKills((cursor) => fetchKills({ limit: KILLS_PER_PAGE, cursor })),
    fetchKills({ state: 'queued,delivered', limit: KILLS_PER_PAGE }),
  ]);
  if (!inProgress.ok) return inProgress.failure;
  upsertKills(inProgress.value.items);
  return failure;
}

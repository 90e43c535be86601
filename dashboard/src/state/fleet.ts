/** The fleet as this session may see it, as it changes. Followed while any part of the page wants it. */

import { batch, computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { fetchJobs, fetchKills, fetchOpenRuns, fetchRun } from '../api/calls.ts';
import type { Failure } from '../api/failure.ts';
import { type LinkState, openWatch } from '../api/watch-socket.ts';
import { Burst } from './burst.ts';
import { askForEach, CatchUp } from './catch-up.ts';
import {
  EMPTY_FLEET,
  type Fleet,
  withJobs,
  withoutForgotten,
  withoutJob,
  withoutRun,
  withoutUnlisted,
  withRuns,
} from './fleet-model.ts';
import { type Freshness, freshnessWith } from './freshness.ts';
import { catchUpOnKills, keepKills } from './kills.ts';
import { type ForgottenRun, unaccounted } from './newest.ts';
import { type RunRef, refOf } from './run-ref.ts';
import { doubtSession } from './session.ts';

/** Each names all its runs. */
const KILLS_A_PAGE = 100;

export const fleet = signal<Fleet>(EMPTY_FLEET);
/** Whether a whole snapshot has been seen: before that, what is not there may still come. */
export const loaded = signal(false);
/** Whether something of each list has come: jobs, and runs that are open. */
export const hasBegun = signal(false);
export const link = signal<LinkState>({ kind: 'connecting' });
/** What the reader is told of it. */
export const freshness = signal<Freshness>({ kind: 'connecting' });
export const failure = signal<Failure | null>(null);
/** Of what there is more than is listed here. */
export const cut = signal<{ readonly jobs: boolean; readonly runs: boolean }>({ jobs: false, runs: false });

/** Goes up with each change of a run, wherever it is shown: for those who keep lists of their own. */
export const changedRuns = signal<readonly Run[]>([]);

/** The same for what the control plane keeps no longer. */
export const forgottenRuns = signal<readonly ForgottenRun[]>([]);

export const openRuns = computed(() => fleet.value.open);

/** Forgets everything: another person may sign in next. */
export function forgetFleet(): void {
  batch(() => {
    fleet.value = EMPTY_FLEET;
    changedRuns.value = [];
    forgottenRuns.value = [];
    loaded.value = false;
    hasBegun.value = false;
    cut.value = { jobs: false, runs: false };
    failure.value = null;
    setLink({ kind: 'connecting' });
  });
}

function setLink(state: LinkState): void {
  batch(() => {
    link.value = state;
    freshness.value = freshnessWith(freshness.peek(), state);
  });
}

let followers = 0;
let stop: (() => void) | null = null;

/** Follows the fleet while the component is there. */
export function useFleet(): void {
  useEffect(() => {
    followers += 1;
    stop ??= followFleet();
    return () => {
      followers -= 1;
      // From one page to the next there is a moment without any: that is no reason to hang up.
      setTimeout(() => {
        if (followers > 0) return;
        stop?.();
        stop = null;
      });
    };
  }, []);
}

function followFleet(): () => void {
  const burst = new Burst((news) =>
    batch(() => {
      fleet.value = news.forgottenJobs.reduce(
        withoutJob,
        withoutForgotten(withRuns(fleet.value, news.runs), news.forgottenRuns),
      );
      keepKills(news.kills);
      if (news.runs.length > 0) changedRuns.value = news.runs;
      if (news.forgottenRuns.length > 0) forgottenRuns.value = news.forgottenRuns;
    }),
  );
  // The socket is open before the snapshot is asked for, and both go through the same merge: whichever order they
  // arrive in, the newest version of each run stays.
  const catchUp = new CatchUp(loadSnapshot, (problem) =>
    batch(() => {
      failure.value = problem;
      if (problem === null && link.peek().kind === 'open') freshness.value = { kind: 'open' };
    }),
  );
  const watch = openWatch('/watch', {
    opened: () => void catchUp.begin(),
    message: (message) => burst.take(message),
    state: setLink,
    refused: () => void doubtSession(),
  });
  return () => {
    catchUp.stop();
    burst.stop();
    watch.close();
    setLink({ kind: 'connecting' });
  };
}

/** Shows each page of the lists as it comes: ten thousand runs take a moment. */
async function loadSnapshot(isOutdated: () => boolean): Promise<Failure | null> {
  const before = fleet.value;
  const seen = new Set<RunRef>();
  const begun = new Set<'jobs' | 'runs'>();
  const take = (list: 'jobs' | 'runs', changed: Fleet) =>
    batch(() => {
      fleet.value = changed;
      hasBegun.value ||= begun.add(list).size === 2;
    });
  const [jobs, runs, orders] = await Promise.all([
    fetchJobs((page) => {
      if (!isOutdated()) take('jobs', withJobs(fleet.value, page));
    }),
    fetchOpenRuns((page) => {
      if (isOutdated()) return;
      for (const run of page) seen.add(refOf(run));
      take('runs', withRuns(fleet.value, page));
    }),
    refreshKills(),
  ]);
  if (isOutdated()) return null;
  if (!jobs.ok) return jobs.failure;
  if (!runs.ok) return runs.failure;
  if (orders !== null) return orders;
  cut.value = { jobs: jobs.value.isCut, runs: runs.value.isCut };
  if (!jobs.value.isCut) fleet.value = withoutUnlisted(fleet.value, before, jobs.value.items);
  loaded.value = true;
  await askForEach(unaccounted(before.open, fleet.value.open, seen), refresh, isOutdated);
  return null;
}

async function refresh(run: Run): Promise<void> {
  const answer = await fetchRun(run.id, run.job);
  if (answer.ok) fleet.value = withRuns(fleet.value, [answer.value]);
  else if (answer.failure.kind === 'problem' && answer.failure.status === 404) {
    fleet.value = withoutRun(fleet.value, refOf(run));
  }
}

/** The kills that are under way, and what has become of those whose end this page has not heard of. */
async function refreshKills(): Promise<Failure | null> {
  const [problem, underWay] = await Promise.all([
    catchUpOnKills((cursor) => fetchKills({ limit: KILLS_A_PAGE, cursor })),
    fetchKills({ state: 'queued,delivered', limit: KILLS_A_PAGE }),
  ]);
  if (!underWay.ok) return underWay.failure;
  keepKills(underWay.value.items);
  return problem;
}

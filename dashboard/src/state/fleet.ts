/** What the overview shows: every run this session may see, as it changes. */

import { batch, signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { fetchJobs, fetchRun, fetchRuns } from '../api/calls.ts';
import type { Failure } from '../api/failure.ts';
import { type LinkState, openWatch } from '../api/watch-socket.ts';
import { mergeRuns, pruneEnded, type Runs, unaccounted } from './newest.ts';
import { doubtSession } from './session.ts';

const SNAPSHOT_RUNS = 100;
const KEPT_ENDS = 200;
/** Changes that come in a burst are drawn together. */
const GATHER_MS = 16;
const RETRY_MS = 3_000;

export const runs = signal<Runs>(new Map());
/** Whether a whole snapshot has been seen: before that, an empty list means nothing. */
export const loaded = signal(false);
export const link = signal<LinkState>({ kind: 'connecting' });
export const failure = signal<Failure | null>(null);

/** Forgets everything: another person may sign in next. */
export function forgetFleet(): void {
  batch(() => {
    runs.value = new Map();
    loaded.value = false;
    failure.value = null;
  });
}

/** Follows the fleet until the returned function is called. */
export function followFleet(): () => void {
  let generation = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let gathered: Run[] = [];

  const flush = () => {
    gathering = undefined;
    const arrived = gathered;
    gathered = [];
    keep(arrived);
  };

  // The socket is open before the snapshot is asked for, and both go through the same merge: whichever order they
  // arrive in, the newest version of each run stays.
  const load = async () => {
    generation += 1;
    const mine = generation;
    clearTimeout(retry);
    const problem = await loadSnapshot(() => mine !== generation);
    if (mine !== generation) return;
    failure.value = problem;
    if (problem !== null) retry = setTimeout(load, RETRY_MS);
  };

  const watch = openWatch('/watch', {
    opened: () => void load(),
    message: (message) => {
      if (message.type !== 'run') return;
      gathered.push(message.run);
      gathering ??= setTimeout(flush, GATHER_MS);
    },
    state: (state) => {
      link.value = state;
    },
    refused: doubtSession,
  });

  return () => {
    generation += 1;
    clearTimeout(retry);
    clearTimeout(gathering);
    watch.close();
  };
}

async function loadSnapshot(outdated: () => boolean): Promise<Failure | null> {
  const before = runs.value;
  const [recent, jobs] = await Promise.all([fetchRuns(SNAPSHOT_RUNS), fetchJobs()]);
  if (outdated()) return null;
  if (!recent.ok) return recent.failure;
  if (!jobs.ok) return jobs.failure;
  // A run that has been going for a week is in no list of recent ones, but its job knows it.
  const known = jobs.value.flatMap((job) => (job.last_run === null ? job.running : [...job.running, job.last_run]));
  const snapshot = [...recent.value.runs, ...known];
  batch(() => {
    keep(snapshot);
    loaded.value = true;
  });
  const missing = unaccounted(before, runs.value, new Set(snapshot.map((run) => run.id)));
  await Promise.all(missing.map((id) => refresh(id)));
  return null;
}

async function refresh(id: string): Promise<void> {
  const answer = await fetchRun(id);
  if (answer.ok) keep([answer.value]);
  else if (answer.failure.kind === 'problem' && answer.failure.status === 404) drop(id);
}

function keep(arrived: readonly Run[]): void {
  runs.value = pruneEnded(mergeRuns(runs.value, arrived), KEPT_ENDS);
}

function drop(id: string): void {
  const rest = new Map(runs.value);
  rest.delete(id);
  runs.value = rest;
}

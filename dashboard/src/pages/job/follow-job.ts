/** One job with its runs and kills, kept up to date. */
import { batch, computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { fetchAllRuns, fetchJob, fetchWholeBatches } from '../../api/calls.ts';
import { type Failure, type Result, success } from '../../api/failure.ts';
import { serverNow } from '../../state/clock.ts';
import { upsertKills } from '../../state/kills.ts';
import { type IsOutdated, isUnknown, resyncOpenRuns } from '../../state/resync.ts';
import { type JobSummary, type Runs, store, type Update } from '../../state/store.ts';
import { Sync, type SyncStatus } from '../../state/sync.ts';
import { RunHistory } from './history.ts';

/** How many of the last kills are shown, and how many are fetched: a batch is shown as one. */
export const SHOWN_KILLS = 5;
const FETCHED_KILLS = 50;
/** Reports may be late and clocks may differ: what was missed is fetched from this long before the last report. */
const MARGIN_MS = 5 * 60 * 1000;

export function followJob(name: string): JobFollower {
  const follower = new JobFollower(name);
  follower.start();
  return follower;
}

export class JobFollower {
  /** Whether the control plane knows the job. */
  readonly known = signal<'asking' | 'yes' | 'no'>('asking');
  /** Whether the job has more open runs than were fetched. */
  readonly areOpenTruncated = signal(false);
  readonly job: ReadonlySignal<JobSummary | null>;
  readonly open: ReadonlySignal<Runs>;
  readonly history: RunHistory;
  /** The runs of the job that have just changed. */
  readonly changed: ReadonlySignal<readonly Run[]>;
  readonly syncStatus: ReadonlySignal<SyncStatus>;
  /** Why nothing can be shown, or why what is shown may be outdated. */
  readonly failure: ReadonlySignal<Failure | null>;
  readonly #name: string;
  readonly #sync = new Sync({
    open: (isOutdated) => this.#fetchJob(isOutdated),
    resync: (isOutdated) => this.#resync(isOutdated),
    received: (update) => this.#received(update),
  });
  /** Whether a run of the unknown job was reported: then it is fetched. */
  #isReported = false;
  /** Up to when all changes are known. */
  #knownUntil = serverNow();

  constructor(name: string) {
    this.#name = name;
    this.job = computed(() => store.jobs.value.get(name) ?? null);
    this.open = computed(() => new Map([...store.open.value].filter(([, run]) => run.job === name)));
    this.history = new RunHistory(name);
    this.changed = computed(() => store.changed.value.filter((run) => run.job === name));
    this.syncStatus = this.#sync.status;
    this.failure = this.#sync.failure;
  }

  start(): void {
    this.#sync.start();
  }

  stop(): void {
    this.#sync.stop();
    this.history.close();
  }

  /** @returns the socket's path: that of a job would create its Durable Object, for a name that may be mistyped */
  async #fetchJob(isOutdated: IsOutdated): Promise<Result<string>> {
    const answer = await fetchJob(this.#name);
    if (!answer.ok && !isUnknown(answer.failure)) return answer;
    if (!isOutdated()) {
      batch(() => {
        if (answer.ok) store.apply({ jobs: [answer.value], runs: answer.value.running });
        this.known.value = answer.ok ? 'yes' : 'no';
      });
      this.#isReported = false;
    }
    return success(answer.ok ? `/jobs/${encodeURIComponent(this.#name)}/watch` : '/watch');
  }

  #received({ runs }: Update): void {
    if (this.known.value !== 'yes') {
      if (this.#isReported || !runs.some(({ job }) => job === this.#name)) return;
      this.#isReported = true;
      this.#sync.start();
      return;
    }
    // After an outage, a later time would skip what isn't fetched yet.
    if (this.syncStatus.value.kind === 'live') this.#knownUntil = serverNow();
    this.history.trim();
  }

  async #resync(isOutdated: IsOutdated): Promise<Failure | null> {
    if (this.known.value !== 'yes') {
      // It may have started before the socket was open.
      this.#sync.start();
      return null;
    }
    const startedAt = serverNow();
    const since = new Date(this.#knownUntil - MARGIN_MS).toISOString();
    const [job, open, missed, kills] = await Promise.all([
      fetchJob(this.#name),
      resyncOpenRuns({ job: this.#name }, isOutdated),
      fetchAllRuns({ job: this.#name, since }, (runs) => {
        if (!isOutdated()) store.apply({ runs });
      }),
      fetchWholeBatches({ job: this.#name, limit: FETCHED_KILLS }),
    ]);
    if (isOutdated()) return null;
    batch(() => {
      if (kills.ok) upsertKills(kills.value.items);
      if (job.ok) store.apply({ jobs: [job.value] });
    });
    for (const answer of [job, open, missed, kills]) {
      // A job of which everything was deleted has missed nothing.
      if (!answer.ok && !isUnknown(answer.failure)) return answer.failure;
    }
    this.history.trim();
    this.areOpenTruncated.value = open.ok && open.value.isTruncated;
    this.#knownUntil = startedAt;
    return null;
  }
}

/** Everything the job page shows of one job, as it changes. */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { Job, Run } from '#protocol/api';
import {
  fetchAllRuns,
  fetchJob,
  fetchRun,
  fetchRuns,
  fetchWholeBatches,
  type Narrowing,
  type Page,
} from '../../api/calls.ts';
import { type Failure, isTemporary, type Result, success } from '../../api/failure.ts';
import { type LinkState, openWatch, type WatchSocket } from '../../api/watch-socket.ts';
import { Burst, type News } from '../../state/burst.ts';
import { askForEach, CatchUp } from '../../state/catch-up.ts';
import { serverNow } from '../../state/clock.ts';
import {
  EMPTY_FLEET,
  type Fleet,
  withRuns as withChangedRuns,
  withJobs,
  withoutForgotten as withoutForgottenOnes,
  withoutRun as withoutOpenRun,
} from '../../state/fleet-model.ts';
import { type Freshness, freshnessWith } from '../../state/freshness.ts';
import { keepKills } from '../../state/kills.ts';
import { unaccounted } from '../../state/newest.ts';
import { type RunRef, refOf } from '../../state/run-ref.ts';
import { doubtSession } from '../../state/session.ts';
import { EVERYTHING, type RunFilter } from './filter.ts';
import {
  type History,
  isFull,
  NO_HISTORY,
  trimmed,
  withoutForgotten,
  withoutRun,
  withPage,
  withRuns,
} from './history.ts';

/** How many of the last kills are shown. */
export const SHOWN_KILLS = 5;
/** Several may be of one order, which is shown as one. */
const READ_KILLS = 50;

/** The first page is there at once; the later ones are for who wants a lot. */
const FIRST_PAGE = 200;
const LATER_PAGE = 500;
/** After a failure that may pass. */
const RETRY_MS = 3_000;
/** What is told late, and clocks that differ: asked is from so much before the last word on. */
const MARGIN_MS = 5 * 60 * 1000;

export type More =
  | { readonly kind: 'idle' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface JobFollower {
  /** Whether the control plane has said what there is of it, or that there is nothing. */
  readonly known: ReadonlySignal<'asking' | 'yes' | 'no'>;
  readonly firstSeenAt: ReadonlySignal<string | null>;
  /** Whether it has more open runs than are listed. */
  readonly areOpenCut: ReadonlySignal<boolean>;
  /** Of this job alone: its open runs and how the last ones ended, whatever the history is narrowed to. */
  readonly now: ReadonlySignal<Fleet>;
  readonly history: ReadonlySignal<History>;
  /** How it stands with the next page of the history. */
  readonly more: ReadonlySignal<More>;
  readonly freshness: ReadonlySignal<Freshness>;
  /** Why nothing can be shown, or why what is shown may be old. */
  readonly failure: ReadonlySignal<Failure | null>;
  /** The runs that have just changed. */
  readonly changed: ReadonlySignal<readonly Run[]>;
  /** Loads the history anew as it is narrowed now. @param least as many runs of it as the reader has seen before */
  narrow(filter: RunFilter, least?: number): void;
  loadMore(): void;
  stop(): void;
}

export function followJob(name: string): JobFollower {
  const follower = new Follower(name);
  void follower.begin();
  return follower;
}

/** Where the next page begins; null when there is none. */
type Next = { readonly cursor: string } | { readonly until: string } | null;

class Follower implements JobFollower {
  readonly known = signal<'asking' | 'yes' | 'no'>('asking');
  readonly firstSeenAt = signal<string | null>(null);
  readonly areOpenCut = signal(false);
  readonly now = signal<Fleet>(EMPTY_FLEET);
  readonly history = signal<History>(NO_HISTORY);
  readonly more = signal<More>({ kind: 'idle' });
  readonly freshness = signal<Freshness>({ kind: 'connecting' });
  readonly failure = signal<Failure | null>(null);
  readonly changed = signal<readonly Run[]>([]);
  readonly #name: string;
  readonly #burst = new Burst((news) => this.#changed(news));
  readonly #catchUp = new CatchUp(
    (isOutdated) => this.#askForMissed(isOutdated),
    (failure) => {
      this.failure.value = failure;
      if (failure === null) this.#caughtUp();
    },
  );
  #filter: RunFilter = EVERYTHING;
  #next: Next = null;
  /** Up to when everything that happened is known. */
  #heardAt = serverNow();
  #watch: WatchSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pages = 0;
  #stopped = false;

  constructor(name: string) {
    this.#name = name;
  }

  /** The job first: of one that there is not, nothing else need be asked. */
  async begin(): Promise<void> {
    const answer = await fetchJob(this.#name);
    if (this.#stopped || this.known.value === 'yes') return;
    if (answer.ok) return this.#follow(answer.value);
    if (isUnknown(answer.failure)) return this.#awaitFirstRun();
    this.failure.value = answer.failure;
    if (isTemporary(answer.failure)) this.#retry = setTimeout(() => void this.begin(), RETRY_MS);
  }

  #follow(job: Job): void {
    batch(() => {
      this.failure.value = null;
      this.known.value = 'yes';
      this.firstSeenAt.value = job.first_seen_at;
      this.now.value = withJobs(withChangedRuns(this.now.value, job.running), [job]);
    });
    this.#watch?.close();
    this.#watch = openWatch(`/jobs/${encodeURIComponent(this.#name)}/watch`, {
      opened: () => void this.#catchUp.begin(),
      message: (message) => this.#burst.take(message),
      state: (state) => this.#linkIs(state),
      refused: () => void doubtSession(),
    });
  }

  /** To watch a job's own object would make one, for a name that may be mistyped. The fleet tells as well. */
  #awaitFirstRun(): void {
    batch(() => {
      this.failure.value = null;
      this.known.value = 'no';
      this.#caughtUp();
    });
    this.#watch ??= openWatch('/watch', {
      opened: () => void this.begin(),
      message: (message) => {
        if (message.type === 'run' && message.run.job === this.#name) void this.begin();
      },
      state: (state) => this.#linkIs(state),
      refused: () => void doubtSession(),
    });
  }

  #linkIs(state: LinkState): void {
    this.freshness.value = freshnessWith(this.freshness.value, state);
  }

  #caughtUp(): void {
    if (this.freshness.value.kind === 'catching_up') this.freshness.value = { kind: 'open' };
  }

  narrow(filter: RunFilter, least = 0): void {
    this.#filter = filter;
    this.history.value = { ...this.history.value, reach: NO_HISTORY.reach };
    this.#next = null;
    void this.#loadPage(FIRST_PAGE, least);
  }

  loadMore(): void {
    const { reach } = this.history.value;
    if (this.more.value.kind === 'loading' || reach.kind === 'end' || isFull(this.history.value)) return;
    void this.#loadPage(reach.kind === 'nowhere' ? FIRST_PAGE : LATER_PAGE);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#burst.stop();
    this.#catchUp.stop();
    this.#watch?.close();
  }

  async #loadPage(limit: number, least = 0): Promise<void> {
    this.#pages += 1;
    const mine = this.#pages;
    this.more.value = { kind: 'loading' };
    const answer = await this.#fetchPages(limit, least, () => this.#stopped || mine !== this.#pages);
    if (answer === null) return;
    batch(() => {
      if (!answer.ok) {
        this.more.value = { kind: 'failed', failure: answer.failure };
        return;
      }
      const { items, next } = answer.value;
      this.more.value = { kind: 'idle' };
      this.#next = next === null ? null : { cursor: next };
      this.history.value = withPage(this.history.value, items, next === null);
    });
  }

  /** As one page: what comes bit by bit would move under the reader. Null when it is wanted no longer. */
  async #fetchPages(limit: number, least: number, isOutdated: () => boolean): Promise<Result<Page<Run>> | null> {
    const items: Run[] = [];
    let after: Next = this.#next;
    for (;;) {
      const answer: Result<Page<Run>> = await fetchRuns({ ...this.#narrowing(), ...after, limit });
      if (isOutdated()) return null;
      if (!answer.ok) return answer;
      items.push(...answer.value.items);
      const { next } = answer.value;
      if (next === null || items.length >= least) return success({ items, next });
      after = { cursor: next };
    }
  }

  #narrowing(): Narrowing {
    const { states, machine, instance } = this.#filter;
    return { job: this.#name, state: states.join(','), machine, instance };
  }

  #changed({ runs, kills, forgottenRuns }: News): void {
    batch(() => {
      // What is still being caught up on would be passed over by a later time.
      if (this.freshness.value.kind === 'open') this.#heardAt = serverNow();
      keepKills(kills);
      if (runs.length > 0) {
        this.#take(runs);
        this.changed.value = runs;
      }
      this.now.value = withoutForgottenOnes(this.now.value, forgottenRuns);
      this.history.value = withoutForgotten(this.history.value, forgottenRuns);
    });
  }

  #take(runs: readonly Run[]): void {
    this.now.value = withChangedRuns(this.now.value, runs);
    const before = withRuns(this.history.value, runs);
    const after = trimmed(before);
    this.history.value = after;
    // The list was cut: what follows has to be asked for from there.
    if (after.reach !== before.reach && after.reach.kind === 'to') {
      this.#next = { until: new Date(Date.parse(after.reach.last.started_at) + 1).toISOString() };
    }
  }

  async #askForMissed(isOutdated: () => boolean): Promise<Failure | null> {
    const startedAt = serverNow();
    const before = this.now.value.open;
    const seen = new Set<RunRef>();
    const take = (runs: readonly Run[]) => {
      if (!isOutdated()) this.#take(runs);
    };
    const since = new Date(this.#heardAt - MARGIN_MS).toISOString();
    const [job, open, missed, kills] = await Promise.all([
      fetchJob(this.#name),
      fetchAllRuns({ job: this.#name, state: 'running,killing,lost' }, (runs) => {
        for (const run of runs) seen.add(refOf(run));
        take(runs.filter(({ final }) => !final));
      }),
      fetchAllRuns({ job: this.#name, since }, take),
      fetchWholeBatches({ job: this.#name, limit: READ_KILLS }),
    ]);
    if (isOutdated()) return null;
    if (kills.ok) keepKills(kills.value.items);
    if (job.ok) this.now.value = withJobs(this.now.value, [job.value]);
    for (const answer of [job, open, missed, kills]) {
      // A job of which nothing is kept any more has nothing to catch up on.
      if (!answer.ok && !isUnknown(answer.failure)) return answer.failure;
    }
    this.areOpenCut.value = open.ok && open.value.isCut;
    const missing = unaccounted(before, this.now.value.open, seen);
    await askForEach(missing, (run) => this.#refresh(run), isOutdated);
    if (!isOutdated()) this.#heardAt = startedAt;
    return null;
  }

  async #refresh(run: Run): Promise<void> {
    const answer = await fetchRun(run.id, run.job);
    if (this.#stopped) return;
    if (answer.ok) this.#take([answer.value]);
    else if (isUnknown(answer.failure)) {
      this.now.value = withoutOpenRun(this.now.value, refOf(run));
      this.history.value = withoutRun(this.history.value, refOf(run));
    }
  }
}

function isUnknown(failure: Failure): boolean {
  return failure.kind === 'problem' && failure.status === 404;
}

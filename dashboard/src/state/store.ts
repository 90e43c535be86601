/**
 * The jobs, runs and kills that the control plane has reported, by lists and by sockets, in any order: of each the version
 * with the higher `seq` stays. All lists of the dashboard are views of it.
 */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { About } from '#protocol/about';
import type { Job, Kill, Run, RunEnd } from '#protocol/api';
import type { Expectation } from '#protocol/expectations';
import { isLive } from '#protocol/run-state';
import { isTruncated, type LastEnds, NO_LAST_ENDS, withEnd, withListed, withoutEnds } from './last-ends.ts';
import { type RunRef, refOf, runRef } from './run-ref.ts';
import { Table } from './table.ts';

/** The control plane lists as many. */
const RECENT_ENDS = 20;
const MOST_TOMBSTONES = 20_000;
/** Settled kills beyond this are dropped, the oldest first; by some more at once, so that it's rarely done. */
const MOST_KILLS = 10_000;
const KILLS_AFTER_DROP = 9_500;

export type Runs = ReadonlyMap<RunRef, Run>;
export type Kills = ReadonlyMap<string, Kill>;

export interface JobSummary {
  readonly name: string;
  /** Null for a job that no list has brought yet. */
  readonly firstSeenAt: string | null;
  /** The latest end first. */
  readonly ends: readonly RunEnd[];
  readonly lastEnds: LastEnds;
  /** What it is, as its newest run says. */
  readonly about: About | null;
}

/** A run that the control plane has deleted. One with the same id and a higher `seq` is another run. */
export interface RemovedRun {
  readonly job: string;
  readonly id: string;
  readonly seq: number;
}

/** An expectation that was removed, or a later one with a higher `seq`. */
export interface RemovedExpectation {
  readonly job: string;
  readonly machine: string | null;
  readonly seq: number;
}

export interface Update {
  readonly jobs: readonly Job[];
  readonly runs: readonly Run[];
  /** Runs of a filtered list: they don't say how their job ended last. */
  readonly pastRuns: readonly Run[];
  readonly kills: readonly Kill[];
  readonly expectations: readonly Expectation[];
  readonly removedExpectations: readonly RemovedExpectation[];
  readonly removedRuns: readonly RemovedRun[];
  /** Names of jobs of which the control plane has deleted everything. */
  readonly removedJobs: readonly string[];
}

export class Store {
  readonly #open = new Table<RunRef, Run>();
  readonly #ended = new Table<RunRef, Run>();
  readonly #jobs = new Table<string, JobSummary>();
  readonly #kills = new Table<string, Kill>();
  readonly #expectations = new Table<string, Expectation>();
  /** By run that isn't stored any more: older versions than this are outdated. */
  readonly #tombstones = new Map<RunRef, number>();
  readonly #views = new Set<(run: Run) => boolean>();
  readonly #changed = signal<readonly Run[]>([]);

  /** Runs that are live, or lost and may come back. */
  readonly open: ReadonlySignal<Runs> = this.#open.published;
  /** Those ended runs that a view shows. Of the others only their job's ends remain. */
  readonly ended: ReadonlySignal<Runs> = this.#ended.published;
  readonly jobs: ReadonlySignal<ReadonlyMap<string, JobSummary>> = this.#jobs.published;
  readonly kills: ReadonlySignal<Kills> = this.#kills.published;
  /** Those that a list or a socket has brought: at least all that are broken. */
  readonly expectations: ReadonlySignal<ReadonlyMap<string, Expectation>> = this.#expectations.published;
  /** The runs that a socket has just reported as changed. */
  readonly changed: ReadonlySignal<readonly Run[]> = this.#changed;

  run(ref: RunRef): Run | undefined {
    return this.open.value.get(ref) ?? this.ended.value.get(ref);
  }

  apply(update: Partial<Update>): void {
    for (const job of update.jobs ?? []) this.#upsertJob(job);
    for (const run of update.runs ?? []) this.#upsertRun(run, false);
    for (const run of update.pastRuns ?? []) this.#upsertRun(run, true);
    if (update.kills !== undefined) this.#upsertKills(update.kills);
    for (const expectation of update.expectations ?? []) this.#upsertExpectation(expectation);
    for (const removed of update.removedExpectations ?? []) this.#removeExpectation(removed);
    for (const run of update.removedRuns ?? []) this.#removeRun(run);
    for (const name of update.removedJobs ?? []) this.#removeJob(name);
    this.#publish();
  }

  /** Applies what a socket has reported. */
  receive(update: Update): void {
    batch(() => {
      this.apply(update);
      if (update.runs.length > 0) this.#changed.value = update.runs;
    });
  }

  /** Stores ended runs, too, if they are shown. @returns ends that */
  retain(isShown: (run: Run) => boolean): () => void {
    this.#views.add(isShown);
    return () => {
      this.#views.delete(isShown);
      this.dropEnded((run) => !this.#isShown(run));
    };
  }

  /** Drops ended runs: a list may bring them again. */
  dropEnded(isDropped: (run: Run) => boolean): void {
    for (const [ref, run] of [...this.#ended.current]) {
      if (!isDropped(run)) continue;
      this.#ended.delete(ref);
      this.#bury(ref, run.seq);
    }
    this.#publish();
  }

  /** Removes a run that the control plane doesn't know. */
  remove(ref: RunRef): void {
    this.#open.delete(ref);
    this.#ended.delete(ref);
    this.#publish();
  }

  /**
   * Removes what a complete list of the jobs doesn't have any more.
   *
   * @param before the jobs that the list covers, as of when it was requested: what has changed since may be newer
   */
  removeUnlisted(before: Iterable<JobSummary>, listed: readonly Job[]): void {
    const byName = new Map(listed.map((job) => [job.name, job]));
    for (const { name, ends, lastEnds } of before) {
      const list = byName.get(name);
      const listedRuns = new Set(list?.recent_ends.map(({ run }) => run));
      const unlisted = new Set(ends.filter(({ run }) => !listedRuns.has(run)));
      // An end that has changed since is another object.
      this.#changeJob(name, (job) => ({ ...job, ends: without(job.ends, (end) => unlisted.has(end)) }));
      if (list === undefined || !isTruncated(list)) {
        const machines = new Set(list?.last_ends.map(({ machine }) => machine));
        this.#removeLastEnds(name, (end) => !machines.has(end.machine) && lastEnds.byMachine.get(end.machine) === end);
      }
      if (list === undefined) this.#removeJob(name);
    }
    this.#publish();
  }

  /** The versions of a job's expectations that are known: another text if one has changed. */
  expectationsOf(job: string): string {
    const own = [...this.expectations.value.values()].filter((expectation) => expectation.job === job);
    return own.map(({ machine, seq }) => `${machine ?? ''}:${seq}`).join();
  }

  /**
   * Removes what a list of the broken expectations doesn't have any more.
   *
   * @param before those that the list covers, as of when it was requested: what has changed since may be newer
   */
  removeMended(before: Iterable<Expectation>, listed: readonly Expectation[]): void {
    const names = new Set(listed.map(expectationName));
    for (const expectation of before) {
      const name = expectationName(expectation);
      if (!names.has(name) && this.#expectations.current.get(name) === expectation) this.#expectations.delete(name);
    }
    this.#publish();
  }

  /** Another person may sign in next. */
  clear(): void {
    for (const table of [this.#open, this.#ended, this.#jobs, this.#kills, this.#expectations]) table.clear();
    this.#tombstones.clear();
    batch(() => {
      this.#publish();
      this.#changed.value = [];
    });
  }

  #publish(): void {
    batch(() => {
      for (const table of [this.#open, this.#ended, this.#jobs, this.#kills, this.#expectations]) table.publish();
    });
  }

  #isShown(run: Run): boolean {
    return [...this.#views].some((isShown) => isShown(run));
  }

  #bury(ref: RunRef, seq: number): void {
    this.#tombstones.delete(ref);
    this.#tombstones.set(ref, seq);
    for (const oldest of this.#tombstones.keys()) {
      if (this.#tombstones.size <= MOST_TOMBSTONES) break;
      this.#tombstones.delete(oldest);
    }
  }

  #upsertRun(run: Run, isPast: boolean): void {
    const ref = refOf(run);
    const known = this.#open.current.get(ref) ?? this.#ended.current.get(ref);
    const tombstone = this.#tombstones.get(ref);
    if (newerOf(known, run) === known || (tombstone !== undefined && run.seq < tombstone)) return;
    const wasOpen = this.#open.current.has(ref);
    this.#ensureJob(run.job);
    if (isOpen(run)) {
      this.#open.set(ref, run);
      this.#ended.delete(ref);
    } else {
      this.#open.delete(ref);
      if (this.#isShown(run)) this.#ended.set(ref, run);
      else this.#bury(ref, run.seq);
    }
    if (isLive(run.state)) this.#removeEnd(run.job, run.id);
    else if (wasOpen || (!isPast && tombstone !== run.seq)) this.#addEnd(run);
  }

  #removeRun({ job, id, seq }: RemovedRun): void {
    const ref = runRef(job, id);
    const known = this.#open.current.get(ref) ?? this.#ended.current.get(ref);
    if ((known?.seq ?? this.#tombstones.get(ref) ?? seq) > seq) return;
    this.#open.delete(ref);
    this.#ended.delete(ref);
    // Newer than the removed version, older than the next one.
    this.#bury(ref, seq + 0.5);
    this.#removeEnd(job, id);
    this.#removeLastEnds(job, ({ run }) => run === id);
  }

  #upsertJob(job: Job): void {
    this.#ensureJob(job.name);
    this.#changeJob(job.name, (known) => {
      const ends = job.recent_ends.filter(
        ({ run }) =>
          !known.ends.some((end) => end.run === run) &&
          // The list is older than the run's return.
          !isLiveRun(this.#open.current.get(runRef(job.name, run))),
      );
      return {
        name: job.name,
        firstSeenAt: job.first_seen_at,
        ends: ends.length === 0 ? known.ends : latestEnds([...known.ends, ...ends]),
        lastEnds: withListed(known.lastEnds, job),
        about: job.about,
      };
    });
  }

  /** Not if something of it is known: that is newer. */
  #removeJob(name: string): void {
    const job = this.#jobs.current.get(name);
    if (job === undefined || job.ends.length > 0 || job.lastEnds.byMachine.size > 0) return;
    for (const run of this.#open.current.values()) if (run.job === name) return;
    this.#jobs.delete(name);
  }

  #ensureJob(name: string): void {
    if (this.#jobs.current.has(name)) return;
    this.#jobs.set(name, { name, firstSeenAt: null, ends: [], lastEnds: NO_LAST_ENDS, about: null });
  }

  #changeJob(name: string, change: (job: JobSummary) => JobSummary): void {
    const job = this.#jobs.current.get(name);
    if (job === undefined) return;
    const changed = change(job);
    if (changed.ends !== job.ends || changed.lastEnds !== job.lastEnds || changed.firstSeenAt !== job.firstSeenAt) {
      this.#jobs.set(name, changed);
    }
  }

  #addEnd({ id, job: name, machine, state, final, exit_code, started_at, ended_at }: Run): void {
    this.#changeJob(name, (job) => {
      const end = { run: id, machine, state, final, exit_code, started_at, ended_at };
      const ends = latestEnds([...job.ends.filter(({ run }) => run !== id), end]);
      // A lost run that may come back hasn't ended for certain.
      if (!final || isLive(state)) return { ...job, ends };
      const last = { run: id, machine, state, exit_code, ended_at: ended_at ?? started_at };
      return { ...job, ends, lastEnds: withEnd(job.lastEnds, last) };
    });
  }

  #removeEnd(name: string, id: string): void {
    this.#changeJob(name, (job) => ({ ...job, ends: without(job.ends, ({ run }) => run === id) }));
  }

  #removeLastEnds(name: string, isRemoved: Parameters<typeof withoutEnds>[1]): void {
    this.#changeJob(name, (job) => ({ ...job, lastEnds: withoutEnds(job.lastEnds, isRemoved) }));
  }

  #upsertExpectation(expectation: Expectation): void {
    const name = expectationName(expectation);
    const known = this.#expectations.current.get(name);
    if (known === undefined || known.seq < expectation.seq) this.#expectations.set(name, expectation);
  }

  #removeExpectation(removed: RemovedExpectation): void {
    const name = expectationName(removed);
    if ((this.#expectations.current.get(name)?.seq ?? 0) <= removed.seq) this.#expectations.delete(name);
  }

  #upsertKills(kills: readonly Kill[]): void {
    for (const kill of kills) {
      const known = this.#kills.current.get(kill.id);
      if (known === undefined || known.seq < kill.seq) this.#kills.set(kill.id, kill);
    }
    const { size } = this.#kills.current;
    if (size <= MOST_KILLS) return;
    const settled = [...this.#kills.current.values()].filter((kill) => !isInProgress(kill)).map(({ id }) => id);
    for (const id of settled.sort().slice(0, size - KILLS_AFTER_DROP)) this.#kills.delete(id);
  }
}

export const store = new Store();

function expectationName({ job, machine }: Pick<Expectation, 'job' | 'machine'>): string {
  return `${job}/${machine ?? ''}`;
}

/** The newer of two versions of a run. */
export function newerOf(known: Run | undefined, arrived: Run): Run {
  if (known === undefined || arrived.seq > known.seq) return arrived;
  // Within one version, the output only grows.
  return arrived.seq === known.seq && arrived.output_bytes > known.output_bytes ? arrived : known;
}

export function isOpen(run: Run): boolean {
  return isLive(run.state) || !run.final;
}

export function isInProgress({ state }: Kill): boolean {
  return state === 'queued' || state === 'delivered';
}

function isLiveRun(run: Run | undefined): boolean {
  return run !== undefined && isLive(run.state);
}

function latestEnds(ends: readonly RunEnd[]): RunEnd[] {
  return ends.toSorted(latestFirst).slice(0, RECENT_ENDS);
}

function latestFirst(a: RunEnd, b: RunEnd): number {
  const [endOfA, endOfB] = [a.ended_at ?? a.started_at, b.ended_at ?? b.started_at];
  if (endOfA !== endOfB) return endOfA < endOfB ? 1 : -1;
  return a.run < b.run ? 1 : -1;
}

/** The same array if nothing is removed. */
function without<Item>(items: readonly Item[], isRemoved: (item: Item) => boolean): readonly Item[] {
  return items.some(isRemoved) ? items.filter((item) => !isRemoved(item)) : items;
}

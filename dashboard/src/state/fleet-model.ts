/**
 * What is known of the fleet, out of snapshots and of changes that arrive in any order. Pure.
 *
 * Of each run the version with the higher `seq` counts. A run that has ended is no longer kept whole, only as one of its
 * job's last ends; its `seq` is remembered, so that a snapshot that was taken before its end does not bring it back.
 */
import type { Job, Run, RunEnd } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { type LastEnds, NO_LAST_ENDS, withEnd, withListed, withoutEnds } from './last-ends.ts';
import { type ForgottenRun, newerOf, type Runs } from './newest.ts';
import { type RunRef, refOf, runRef } from './run-ref.ts';

/** As many as the control plane gives. */
const KEPT_ENDS = 20;
const KEPT_SEQS = 20_000;

export interface FleetJob {
  readonly name: string;
  /** The latest end first. */
  readonly ends: readonly RunEnd[];
  readonly lastEnds: LastEnds;
}

export interface Fleet {
  /** Runs that are not over for good: those that live, and lost ones that may come back. */
  readonly open: Runs;
  readonly jobs: ReadonlyMap<string, FleetJob>;
  /** The version at which runs were last seen to be over. */
  readonly over: ReadonlyMap<RunRef, number>;
}

export const EMPTY_FLEET: Fleet = { open: new Map(), jobs: new Map(), over: new Map() };

/** Takes runs as they are by now. The same fleet if nothing of it was new. */
export function withRuns(fleet: Fleet, arrived: readonly Run[]): Fleet {
  const draft = new Draft(fleet);
  for (const run of arrived) draft.run(run);
  return draft.finished();
}

/** Takes jobs as a list gives them: their names and last ends. Their runs come with other lists. */
export function withJobs(fleet: Fleet, arrived: readonly Job[]): Fleet {
  const draft = new Draft(fleet);
  for (const job of arrived) {
    draft.job(job.name);
    for (const end of job.recent_ends) draft.end(job.name, end);
    draft.lastEnds(job.name, (known) => withListed(known, job));
  }
  return draft.finished();
}

/** Takes runs away that the control plane no longer has. */
export function withoutRun(fleet: Fleet, ref: RunRef): Fleet {
  if (!fleet.open.has(ref)) return fleet;
  const open = new Map(fleet.open);
  open.delete(ref);
  return { ...fleet, open };
}

/** Takes runs away that are kept no longer, and of their jobs the ends that they were. */
export function withoutForgotten(fleet: Fleet, forgotten: readonly ForgottenRun[]): Fleet {
  const draft = new Draft(fleet);
  for (const run of forgotten) draft.forget(run);
  return draft.finished();
}

/** Takes a job away of which nothing is left, unless something of it has been heard of since. */
export function withoutJob(fleet: Fleet, name: string): Fleet {
  const draft = new Draft(fleet);
  draft.forgetJob(name);
  return draft.finished();
}

/**
 * Takes away what a whole list of the jobs no longer has: it was kept no longer, and nobody was there to hear of it.
 *
 * @param before the fleet when the list was asked for: what has been heard of since may be newer than the list
 */
export function withoutUnlisted(fleet: Fleet, before: Fleet, listed: readonly Job[]): Fleet {
  const draft = new Draft(fleet);
  const lists = new Map(listed.map((job) => [job.name, job]));
  for (const { name, ends, lastEnds } of before.jobs.values()) {
    const list = lists.get(name);
    const kept = new Set((list?.recent_ends ?? []).map(({ run }) => run));
    // One that has changed since is another object.
    draft.forgetEnds(
      name,
      ends.filter(({ run }) => !kept.has(run)),
    );
    draft.forgetLastEnds(name, lastEnds, list);
    if (list === undefined) draft.forgetJob(name);
  }
  return draft.finished();
}

/** Copies of what changes, made when it first does. */
class Draft {
  readonly #before: Fleet;
  #open: Map<RunRef, Run> | null = null;
  #jobs: Map<string, FleetJob> | null = null;
  #over: Map<RunRef, number> | null = null;

  constructor(before: Fleet) {
    this.#before = before;
  }

  run(run: Run): void {
    const ref = refOf(run);
    const known = (this.#open ?? this.#before.open).get(ref);
    const overSince = (this.#over ?? this.#before.over).get(ref);
    if (newerOf(known, run) === known || (overSince !== undefined && overSince >= run.seq)) return;
    this.job(run.job);
    this.#open ??= new Map(this.#before.open);
    if (isLive(run.state) || !run.final) this.#open.set(ref, run);
    else this.#open.delete(ref);
    if (isLive(run.state)) {
      this.#noEnd(run.job, run.id);
    } else {
      if (run.final) this.#rememberOver(run);
      this.end(run.job, endOf(run), { replace: true });
      this.lastEnds(run.job, (known) => withLastRun(known, run));
    }
  }

  job(name: string): void {
    if ((this.#jobs ?? this.#before.jobs).has(name)) return;
    this.#jobs ??= new Map(this.#before.jobs);
    this.#jobs.set(name, { name, ends: [], lastEnds: NO_LAST_ENDS });
  }

  /** @param how whether it is newer than what is known of the same run; a list may be older */
  end(name: string, end: RunEnd, how: { readonly replace: boolean } = { replace: false }): void {
    const job = (this.#jobs ?? this.#before.jobs).get(name);
    if (job === undefined) return;
    const known = job.ends.some(({ run }) => run === end.run);
    if (known && !how.replace) return;
    // A list that was read before the run came back alive.
    const open = (this.#open ?? this.#before.open).get(runRef(name, end.run));
    if (!how.replace && open !== undefined && isLive(open.state)) return;
    const rest = known ? job.ends.filter(({ run }) => run !== end.run) : job.ends;
    this.#setEnds(job, [...rest, end].sort(newestEndFirst).slice(0, KEPT_ENDS));
  }

  lastEnds(name: string, change: (known: LastEnds) => LastEnds): void {
    const job = (this.#jobs ?? this.#before.jobs).get(name);
    if (job === undefined) return;
    const lastEnds = change(job.lastEnds);
    if (lastEnds !== job.lastEnds) this.#setJob({ ...job, lastEnds });
  }

  /** @param list what the job's machines are now; of more than it names it can't be said that one is gone */
  forgetLastEnds(name: string, before: LastEnds, list: Job | undefined): void {
    if (list !== undefined && isLastEndsCut(list)) return;
    const machines = new Set((list?.last_ends ?? []).map(({ machine }) => machine));
    this.lastEnds(name, (known) =>
      withoutEnds(known, (end) => !machines.has(end.machine) && before.byMachine.get(end.machine) === end),
    );
  }

  forget({ job, id, seq }: ForgottenRun): void {
    const ref = runRef(job, id);
    const open = (this.#open ?? this.#before.open).get(ref);
    const overSince = (this.#over ?? this.#before.over).get(ref);
    if ((open !== undefined && open.seq > seq) || (overSince !== undefined && overSince > seq)) return;
    if (open !== undefined) {
      this.#open ??= new Map(this.#before.open);
      this.#open.delete(ref);
    }
    this.#noEnd(job, id);
    this.lastEnds(job, (known) => withoutEnds(known, ({ run }) => run === id));
  }

  forgetEnds(name: string, gone: readonly RunEnd[]): void {
    const job = (this.#jobs ?? this.#before.jobs).get(name);
    if (job?.ends.some((end) => gone.includes(end)) !== true) return;
    this.#setEnds(
      job,
      job.ends.filter((end) => !gone.includes(end)),
    );
  }

  forgetJob(name: string): void {
    const job = (this.#jobs ?? this.#before.jobs).get(name);
    if (job === undefined || job.ends.length > 0 || job.lastEnds.byMachine.size > 0) return;
    for (const run of (this.#open ?? this.#before.open).values()) if (run.job === name) return;
    this.#jobs ??= new Map(this.#before.jobs);
    this.#jobs.delete(name);
  }

  finished(): Fleet {
    if (this.#open === null && this.#jobs === null && this.#over === null) return this.#before;
    return {
      open: this.#open ?? this.#before.open,
      jobs: this.#jobs ?? this.#before.jobs,
      over: this.#over ?? this.#before.over,
    };
  }

  #noEnd(name: string, id: string): void {
    const job = (this.#jobs ?? this.#before.jobs).get(name);
    if (job?.ends.some(({ run }) => run === id) === true) {
      this.#setEnds(
        job,
        job.ends.filter(({ run }) => run !== id),
      );
    }
  }

  #setEnds(job: FleetJob, ends: readonly RunEnd[]): void {
    this.#setJob({ ...job, ends });
  }

  #setJob(job: FleetJob): void {
    this.#jobs ??= new Map(this.#before.jobs);
    this.#jobs.set(job.name, job);
  }

  #rememberOver(run: Run): void {
    this.#over ??= new Map(this.#before.over);
    const ref = refOf(run);
    this.#over.delete(ref);
    this.#over.set(ref, run.seq);
    for (const oldest of this.#over.keys()) {
      if (this.#over.size <= KEPT_SEQS) break;
      this.#over.delete(oldest);
    }
  }
}

function endOf(run: Run): RunEnd {
  const { id, machine, state, final, exit_code, started_at, ended_at } = run;
  return { run: id, machine, state, final, exit_code, started_at, ended_at };
}

/** A lost run that may come back is open: how it ended is not known yet. */
function withLastRun(known: LastEnds, run: Run): LastEnds {
  const { id, machine, state, final, exit_code, ended_at } = run;
  if (!final || isLive(state)) return known;
  return withEnd(known, { run: id, machine, state, exit_code, ended_at: ended_at ?? run.started_at });
}

function isLastEndsCut({ last_ends, last_end_counts }: Job): boolean {
  return Object.values(last_end_counts).reduce((sum, count) => sum + count, 0) > last_ends.length;
}

function newestEndFirst(a: RunEnd, b: RunEnd): number {
  const [endOfA, endOfB] = [a.ended_at ?? a.started_at, b.ended_at ?? b.started_at];
  if (endOfA !== endOfB) return endOfA < endOfB ? 1 : -1;
  return a.run < b.run ? 1 : -1;
}

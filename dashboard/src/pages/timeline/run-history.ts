/** The runs of the time that is looked at: fetched where they are not known yet, then kept up to date by what is pushed. */
import { signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { fetchRuns } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { type ForgottenRun, newerOf } from '../../state/newest.ts';
import { type RunRef, refOf, runRef } from '../../state/run-ref.ts';
import { type Coverage, missing, within, withPeriod } from './coverage.ts';
import { LaneIndex, type LaneKind } from './lane-index.ts';
import type { Period } from './view.ts';

/** The most that one answer holds. */
const PAGE_SIZE = 500;
/** More than this is not fetched for one view: the newest tell most, and a shorter window shows all. */
const MOST_PAGES = 20;
const RETRY_MS = 3_000;
/** On a page that is open all day runs pile up. */
const MOST_KEPT = 30_000;
const KEPT_WHEN_FULL = 20_000;

export class RunHistory {
  /** Goes up with whatever changes the lanes. */
  readonly version = signal(0);
  readonly loading = signal(false);
  readonly failure = signal<Failure | null>(null);
  /** Of what started before this time some is missing, because there was too much; null when nothing is. */
  readonly cutBefore = signal<number | null>(null);
  #index = new LaneIndex('job', () => true);
  #arranged: readonly [LaneKind, (run: Run) => boolean] = ['job', () => true];
  #runs = new Map<RunRef, Run>();
  #covered: Coverage = [];
  #shown: Period | null = null;
  #generation = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  get index(): LaneIndex {
    return this.#index;
  }

  /** What makes a lane, and which runs are wanted. */
  arrange(kind: LaneKind, accepts: (run: Run) => boolean): void {
    this.#arranged = [kind, accepts];
    this.#index = new LaneIndex(kind, accepts);
    this.#index.put(this.#runs.values());
  }

  /** Takes runs as they are by now, wherever they come from. */
  put(runs: Iterable<Run>): void {
    const changed: Run[] = [];
    for (const run of runs) {
      const ref = refOf(run);
      const known = this.#runs.get(ref);
      if (newerOf(known, run) === known) continue;
      this.#runs.set(ref, run);
      changed.push(run);
    }
    if (changed.length === 0) return;
    this.#index.put(changed);
    if (this.#runs.size > MOST_KEPT) this.#forgetSome();
    // Read without being followed: this is called from effects.
    this.version.value = this.version.peek() + 1;
  }

  /** Takes away what the control plane keeps no longer. */
  forget(forgotten: readonly ForgottenRun[]): void {
    this.#remove(
      forgotten.flatMap(({ job, id, seq }) => {
        const known = this.#runs.get(runRef(job, id));
        return known === undefined || known.seq > seq ? [] : [known];
      }),
    );
  }

  #remove(runs: readonly Run[]): void {
    if (runs.length === 0) return;
    for (const run of runs) this.#runs.delete(refOf(run));
    this.#index.remove(runs);
    this.version.value = this.version.peek() + 1;
  }

  /** Makes sure that all runs of the period are there. One that reaches to the present ends at Infinity. */
  show(period: Period): void {
    this.#shown = period;
    this.cutBefore.value = null;
    void this.#load();
  }

  /** What was pushed has been missed for a while: all is fetched again, and shown as it was until then. */
  refresh(): void {
    this.#covered = [];
    void this.#load();
  }

  close(): void {
    this.#generation += 1;
    clearTimeout(this.#retry);
  }

  async #load(): Promise<void> {
    this.#generation += 1;
    const mine = this.#generation;
    clearTimeout(this.#retry);
    if (this.#shown === null) return;
    const gaps = missing(this.#covered, this.#shown);
    this.loading.value = gaps.length > 0;
    for (const gap of gaps) {
      const problem = await this.#loadGap(gap, () => mine !== this.#generation);
      if (mine !== this.#generation) return;
      this.failure.value = problem;
      if (problem === null) continue;
      this.#retry = setTimeout(() => void this.#load(), RETRY_MS);
      break;
    }
    if (gaps.length === 0) this.failure.value = null;
    this.loading.value = false;
  }

  /** Each page is shown as it comes. */
  async #loadGap(gap: Period, isOutdated: () => boolean): Promise<Failure | null> {
    const since = new Date(gap.from).toISOString();
    const until = gap.to === Number.POSITIVE_INFINITY ? null : new Date(gap.to).toISOString();
    // Those of them that the list no longer has are gone, if nothing else was heard of them meanwhile.
    const unseen = this.#begunIn(gap);
    let cursor: string | null = null;
    for (let pages = 0; pages < MOST_PAGES; pages += 1) {
      const answer = await fetchRuns({ since, until, limit: PAGE_SIZE, cursor });
      if (isOutdated()) return null;
      if (!answer.ok) return answer.failure;
      const { items, next } = answer.value;
      this.put(items);
      for (const run of items) unseen.delete(refOf(run));
      cursor = next;
      if (cursor === null) {
        this.#covered = withPeriod(this.#covered, gap);
        this.#remove([...unseen].flatMap(([ref, run]) => (this.#runs.get(ref) === run ? [run] : [])));
        return null;
      }
      if (pages === MOST_PAGES - 1) this.#cutBefore(items.at(-1));
    }
    return null;
  }

  /** Those that a list of the period has to have. */
  #begunIn({ from, to }: Period): Map<RunRef, Run> {
    const isIn = (run: Run) => {
      const start = Date.parse(run.started_at);
      return start >= from && start < to;
    };
    return new Map([...this.#runs].filter(([, run]) => isIn(run)));
  }

  #cutBefore(oldest: Run | undefined): void {
    if (oldest !== undefined) {
      this.cutBefore.value = Math.max(this.cutBefore.peek() ?? 0, Date.parse(oldest.started_at));
    }
  }

  /** First what is out of view; then the oldest of what has ended. */
  #forgetSome(): void {
    const shown = this.#shown ?? { from: 0, to: Number.POSITIVE_INFINITY };
    const isShown = (run: Run) =>
      run.ended_at === null || (Date.parse(run.ended_at) >= shown.from && Date.parse(run.started_at) <= shown.to);
    let kept = [...this.#runs.values()].filter(isShown);
    this.#covered = within(this.#covered, shown);
    if (kept.length > KEPT_WHEN_FULL) {
      const open = kept.filter(({ ended_at }) => ended_at === null);
      const ended = kept
        .filter(({ ended_at }) => ended_at !== null)
        .sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
      const newest = ended.slice(0, Math.max(0, KEPT_WHEN_FULL - open.length));
      this.#cutBefore(newest.at(-1));
      this.#covered = [];
      kept = [...open, ...newest];
    }
    this.#runs = new Map(kept.map((run) => [refOf(run), run]));
    this.arrange(...this.#arranged);
  }
}

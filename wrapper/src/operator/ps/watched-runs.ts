/**
 * The runs that `leash ps --watch` shows, as lists and the watch socket report them, in any order: of each the version with
 * the higher `seq` stays. Pure.
 */
import type { Run } from '#protocol/api';
import type { RunState } from '#protocol/run-state';
import type { Received } from '../api-client.ts';
import { refOf } from '../find-run.ts';
import { isOpen, isSelected, type NamedRuns } from '../list-runs.ts';

export interface WatchFilter extends NamedRuns {
  /** Only runs in one of these; none: those that are open, or all. */
  readonly states: readonly RunState[];
  /** Also runs that have ended. */
  readonly all: boolean;
  /** The most that are kept of others than open runs: the newest. */
  readonly limit: number;
}

/** Whether what runs is shown, and nothing else. */
export function isOfOpenRuns({ all, states }: WatchFilter): boolean {
  return !all && states.length === 0;
}

export interface RunChange {
  readonly run: Received<Run>;
  /** The version before; null if the run wasn't shown. */
  readonly before: Run | null;
}

interface Row {
  readonly run: Received<Run>;
  /** When it is removed, because it has ended, say; null: it stays. */
  readonly leavesAtMs: number | null;
}

/** How long a run that has ended is still shown: to see how. */
export const LINGER_MS = 10_000;
/** An end that is reported later, of a run that was not shown, isn't news. */
const NEWS_MS = 60_000;
/** Of how many runs that aren't shown any more it is known which versions are outdated. */
const MAX_TOMBSTONES = 20_000;

export class WatchedRuns {
  readonly #filter: WatchFilter;
  readonly #rows = new Map<string, Row>();
  readonly #tombstones = new Map<string, number>();

  constructor(filter: WatchFilter) {
    this.#filter = filter;
  }

  /** @returns what has changed; null: nothing that is shown */
  take(run: Received<Run>, nowMs: number): RunChange | null {
    const { value } = run;
    if (!isSelected(this.#filter, value)) return null;
    const ref = refOf(value);
    const before = this.#rows.get(ref)?.run.value ?? null;
    if (before !== null ? !isNewer(value, before) : value.seq <= (this.#tombstones.get(ref) ?? -1)) return null;
    const isWanted = this.#isWanted(value);
    if (!isWanted && before === null && !this.#isNews(value, nowMs)) {
      this.#bury(ref, value.seq);
      return null;
    }
    this.#rows.set(ref, { run, leavesAtMs: isWanted ? null : nowMs + LINGER_MS });
    return this.#isCrowdedOut(ref) ? null : { run, before };
  }

  /** Removes a run that the control plane has deleted. One with a higher `seq` is another run. */
  remove(job: string, id: string, seq: number): void {
    const ref = refOf({ job, id });
    const row = this.#rows.get(ref);
    if (row !== undefined && row.run.value.seq <= seq) this.#delete(ref, seq);
  }

  /** The open runs: those that a complete list doesn't have have changed meanwhile. */
  get open(): readonly Run[] {
    return [...this.#rows.values()].map(({ run }) => run.value).filter(isOpen);
  }

  /** Whether this very version is shown. */
  has(run: Run): boolean {
    return this.#rows.get(refOf(run))?.run.value === run;
  }

  /** What is shown, newest first. */
  shown(nowMs: number): readonly Run[] {
    for (const [ref, { run, leavesAtMs }] of this.#rows) {
      if (leavesAtMs !== null && leavesAtMs <= nowMs) this.#delete(ref, run.value.seq);
    }
    return [...this.#rows.values()].map(({ run }) => run.value).sort(newestFirst);
  }

  #isWanted(run: Run): boolean {
    const { all, states } = this.#filter;
    return isOfOpenRuns(this.#filter) ? isOpen(run) : all || states.includes(run.state);
  }

  /** A run may end before anything of it is reported. */
  #isNews({ ended_at }: Run, nowMs: number): boolean {
    return isOfOpenRuns(this.#filter) && ended_at !== null && nowMs - Date.parse(ended_at) < NEWS_MS;
  }

  /** Removes the oldest where there are too many. @returns whether that is this one */
  #isCrowdedOut(ref: string): boolean {
    if (isOfOpenRuns(this.#filter) || this.#rows.size <= this.#filter.limit) return false;
    const oldest = [...this.#rows.values()]
      .map(({ run }) => run.value)
      .reduce((found, run) => (newestFirst(run, found) > 0 ? run : found));
    this.#delete(refOf(oldest), oldest.seq);
    return refOf(oldest) === ref;
  }

  #delete(ref: string, seq: number): void {
    this.#rows.delete(ref);
    this.#bury(ref, seq);
  }

  #bury(ref: string, seq: number): void {
    this.#tombstones.delete(ref);
    this.#tombstones.set(ref, seq);
    const [oldest] = this.#tombstones.keys();
    if (this.#tombstones.size > MAX_TOMBSTONES && oldest !== undefined) this.#tombstones.delete(oldest);
  }
}

/** Within one version, the output only grows. */
function isNewer(run: Run, known: Run): boolean {
  return run.seq > known.seq || (run.seq === known.seq && run.output_bytes > known.output_bytes);
}

function newestFirst(one: Run, other: Run): number {
  return compare(other.started_at, one.started_at) || compare(other.id, one.id);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

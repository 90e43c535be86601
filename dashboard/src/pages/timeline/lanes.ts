/** Runs by lane: a lane per job or per machine. A change costs what its own lane holds. */
import type { Run } from '#protocol/api';
import { type RunRef, refOf } from '../../state/run-ref.ts';

export type LaneKind = 'job' | 'machine';

export interface TimedRun {
  readonly run: Run;
  readonly ref: RunRef;
  readonly from: number;
  /** Null while the run has not ended. */
  readonly to: number | null;
}

/** Immutable: a lane of which something has changed is another object, so that its layout can be cached by it. */
export interface Lane {
  readonly name: string;
  /** The earliest start first. */
  readonly runs: readonly TimedRun[];
}

export class LaneIndex {
  readonly #kind: LaneKind;
  readonly #accepts: (run: Run) => boolean;
  readonly #lanes = new Map<string, Lane>();
  #sorted: readonly Lane[] | null = null;

  constructor(kind: LaneKind, accepts: (run: Run) => boolean) {
    this.#kind = kind;
    this.#accepts = accepts;
  }

  /** Adds runs that are new, and replaces those that have changed. */
  put(runs: Iterable<Run>): void {
    this.#replace(runs, this.#accepts);
  }

  remove(runs: Iterable<Run>): void {
    this.#replace(runs, () => false);
  }

  /** By name, so that a lane stays where the eye has found it. */
  get lanes(): readonly Lane[] {
    this.#sorted ??= [...this.#lanes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  #replace(changed: Iterable<Run>, accepts: (run: Run) => boolean): void {
    for (const [name, group] of Map.groupBy(changed, (run) => run[this.#kind])) {
      const refs = new Set(group.map(refOf));
      const before = this.#lanes.get(name)?.runs ?? [];
      const others = before.filter(({ ref }) => !refs.has(ref));
      const runs = [...others, ...group.filter(accepts).map(timed)].sort(byStart);
      if (others.length === before.length && runs.length === before.length) continue;
      this.#sorted = null;
      if (runs.length === 0) this.#lanes.delete(name);
      else this.#lanes.set(name, { name, runs });
    }
  }
}

/** Times are parsed once per run: each letter of a filter builds all lanes again. */
const known = new WeakMap<Run, TimedRun>();

export function timed(run: Run): TimedRun {
  const before = known.get(run);
  if (before !== undefined) return before;
  const from = Date.parse(run.started_at);
  const to = run.ended_at === null ? null : Math.max(from, Date.parse(run.ended_at));
  const made = { run, ref: refOf(run), from, to };
  known.set(run, made);
  return made;
}

function byStart(a: TimedRun, b: TimedRun): number {
  return a.from - b.from || (a.run.id < b.run.id ? -1 : 1);
}

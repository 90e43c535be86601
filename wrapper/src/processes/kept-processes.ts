/** Processes that a kill of their run leaves alone, because their environment says so. */
import type { ProcessEntry, ProcessTable } from './process-table.ts';

/** Excludes a process, and all that inherits the variable, from a kill of the run that has started it. */
export const KEEP_VARIABLE = 'LEASH_KEEP';
const KEEP_VALUE = '1';

type ProcessIdentity = Pick<ProcessEntry, 'pid' | 'startTime'>;

/** A process may become another program, with another environment, at any time. */
const NOT_KEPT_STAYS_KNOWN_MS = 500;

export class KeptProcesses {
  readonly #table: Pick<ProcessTable, 'hasVariable'>;
  readonly #now: () => number;
  /** Start times, by pid, of those that were found to be kept: whatever becomes of their ancestors. */
  readonly #known = new Map<number, string>();
  /** When others were last seen not to be. */
  readonly #others = new Map<string, number>();
  /** The process groups that those of the last look are in. */
  #groups: ReadonlySet<number> = new Set();

  /** @param now milliseconds on a clock that never goes back */
  constructor(table: Pick<ProcessTable, 'hasVariable'>, now: () => number) {
    this.#table = table;
    this.#now = now;
  }

  /** Whether it is to be kept: by what was known of it before, or by its environment. */
  has(entry: ProcessIdentity): boolean {
    if (this.wasFound(entry)) return true;
    const key = identity(entry);
    const now = this.#now();
    const seenAt = this.#others.get(key);
    if (seenAt !== undefined && now - seenAt < NOT_KEPT_STAYS_KNOWN_MS) return false;
    if (this.#hasKeepVariable(entry.pid)) return true;
    this.#others.set(key, now);
    return false;
  }

  /** The same of whoever has this pid now: one read, where there may be thousands to be looked at. */
  hasPid(pid: number): boolean {
    return this.#known.has(pid) || this.#hasKeepVariable(pid);
  }

  #hasKeepVariable(pid: number): boolean {
    return this.#table.hasVariable(pid, KEEP_VARIABLE, KEEP_VALUE) === true;
  }

  wasFound({ pid, startTime }: ProcessIdentity): boolean {
    return this.#known.get(pid) === startTime;
  }

  /** Whether one that was found had this pid at the last look. */
  hadPid(pid: number): boolean {
    return this.#known.has(pid);
  }

  /** Whether one of them was in this process group at the last look. */
  isInGroup(pgid: number): boolean {
    return this.#groups.has(pgid);
  }

  /** Adds those that a look has found, and removes those that it has not shown. */
  update(found: readonly ProcessEntry[], byPid: ReadonlyMap<number, ProcessEntry>): void {
    for (const { pid, startTime } of found) this.#known.set(pid, startTime);
    this.#groups = new Set(found.map(({ pgid }) => pgid));
    removeExited(this.#known, byPid);
    const now = this.#now();
    for (const [key, at] of this.#others) if (now - at >= NOT_KEPT_STAYS_KNOWN_MS) this.#others.delete(key);
  }
}

/** Tells it apart from another that had or will have its pid. */
export function identity({ pid, startTime }: ProcessIdentity): string {
  return `${pid} ${startTime}`;
}

/** Removes those processes, start times by pid, that a look has not shown. */
export function removeExited(known: Map<number, string>, byPid: ReadonlyMap<number, ProcessEntry>): void {
  for (const [pid, startTime] of known) if (byPid.get(pid)?.startTime !== startTime) known.delete(pid);
}

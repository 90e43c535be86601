/**
 * Who has lost its parent within the run's session: known members lead to all others by their children, but an orphan is
 * a child of init, or of another of our ancestors that adopts orphans.
 */
import type { ProcessEntry, ProcessTable } from './process-table.ts';

export class AdoptedOrphans {
  /** The pid of the command, which is also its group's and its session's number. */
  readonly #leader: number;
  readonly #table: Pick<ProcessTable, 'entry' | 'adopted' | 'newestPid'>;
  /** Children that were seen in other sessions: those can't enter ours, so they are read once, however many there are. */
  #others = new Set<number>();

  constructor(leader: number, table: Pick<ProcessTable, 'entry' | 'adopted' | 'newestPid'>) {
    this.#leader = leader;
    this.#table = table;
  }

  /**
   * Finds them among the children of our ancestors while the leader lives, so that its numbers are nobody else's.
   *
   * @returns null where an ancestor's children can't be seen
   */
  find(ancestors: Iterable<number>): ProcessEntry[] | null {
    const children = this.#adoptedBy(ancestors);
    if (children === null) return null;
    const others = new Set<number>();
    const found: ProcessEntry[] = [];
    for (const pid of children) {
      const entry = this.#others.has(pid) ? null : this.#table.entry(pid);
      if (entry !== null && this.#isInSession(entry)) found.push(entry);
      else others.add(pid);
    }
    this.#others = others;
    return found;
  }

  #isInSession({ sid, pgid }: ProcessEntry): boolean {
    return sid === this.#leader || pgid === this.#leader;
  }

  /** Those whose pids were given out after the leader's, unless all have been given out once around since. */
  #adoptedBy(parents: Iterable<number>): number[] | null {
    const newest = this.#table.newestPid() ?? 0;
    const hasTurned = newest < this.#leader;
    const all: number[] = [];
    for (const parent of parents) {
      const children = this.#table.adopted(parent);
      if (children === null) return null;
      for (const pid of children) if (hasTurned || pid > this.#leader) all.push(pid);
    }
    return all;
  }
}

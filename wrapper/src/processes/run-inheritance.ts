/** What a run's processes inherit from each other: its cookie (an environment variable), and the pipes that it prints into. */
import type { ProcessRef } from './process-ref.ts';
import type { ProcessEntry, ProcessTable } from './process-table.ts';

/** A name so short may be anyone's variable. */
const SHORTEST_COOKIE = 8;

export class RunInheritance {
  readonly #leader: ProcessRef;
  readonly #cookie: string | null;
  readonly #pipes: readonly string[];
  readonly #table: ProcessTable;
  /** Start times, by pid, of those that were seen to have neither the cookie nor one of the pipes. */
  readonly #unmarked = new Map<number, string>();

  constructor(
    { leader, cookie, pipes }: { leader: ProcessRef; cookie: string; pipes: readonly string[] },
    table: ProcessTable,
  ) {
    this.#leader = leader;
    this.#cookie = cookie.length >= SHORTEST_COOKIE ? cookie : null;
    this.#pipes = pipes;
    this.#table = table;
  }

  /**
   * Whether it inherited the cookie, or, having thrown its environment away, still prints into the run's pipes. Only its
   * stdout and stderr count: who else holds a pipe may have been handed it to work for many (an ssh master).
   *
   * Read once for each process: it never gets either later, except from an ancestor of ours.
   */
  has(entry: ProcessEntry): boolean {
    if (!entry.isAlive || this.isUnmarked(entry) || this.predates(entry)) return false;
    const hasCookie = this.#cookie === null ? false : this.#table.hasVariable(entry.pid, this.#cookie);
    if (hasCookie === true || this.#table.printsInto(entry.pid, this.#pipes)) return true;
    if (hasCookie === false) this.#unmarked.set(entry.pid, entry.startTime);
    return false;
  }

  /** Whether it was seen to have inherited nothing. */
  isUnmarked({ pid, startTime }: ProcessEntry): boolean {
    return this.#unmarked.get(pid) === startTime;
  }

  /** Removes those whose pids are nobody's any more. */
  removeExited(isShown: (pid: number) => boolean): void {
    for (const pid of this.#unmarked.keys()) if (!isShown(pid)) this.#unmarked.delete(pid);
  }

  /** Whether it was there before the command, and so has inherited nothing of it. Only Linux tells, in ticks since the boot. */
  predates({ startTime }: ProcessEntry): boolean {
    return Number(startTime) < Number(this.#leader.startTime);
  }
}

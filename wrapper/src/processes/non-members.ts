/**
 * Processes that were seen not to belong to the run. A look doesn't read them again: on a machine with thousands of
 * processes nearly all are of that kind, and to read one costs more than to see that it is still the same.
 */
import type { ProcessEntry, ProcessTable } from './process-table.ts';

/** All processes but those known not to belong to the run. */
export interface ProcessListing {
  readonly entries: readonly ProcessEntry[];
  /** Whether there is a process with this pid, known or not. */
  shows(pid: number): boolean;
}

export class NonMembers {
  readonly #table: ProcessTable;
  readonly #now: () => number;
  /** Their inodes, by pid. */
  readonly #known = new Map<number, number>();
  /** Inodes of those that the last listing has read. */
  #inodes = new Map<number, number | null>();
  /** Pids to be read in advance; null before that has begun. */
  #ahead: number[] | null = null;
  /** When the last listing began, and the pid given out last by then. */
  #last: { readonly at: number; readonly newest: number } | null = null;

  constructor(table: ProcessTable, now: () => number) {
    this.#table = table;
    this.#now = now;
  }

  has(pid: number): boolean {
    return this.#known.has(pid);
  }

  /** Adds a process that the last listing has read, and that will never belong to the run. */
  add(pid: number): void {
    const inode = this.#inodes.get(pid) ?? null;
    if (inode !== null) this.#known.set(pid, inode);
  }

  /**
   * Lists the processes.
   *
   * @param mustRead whether a process is read even if it is known
   */
  list(mustRead: (pid: number) => boolean): ProcessListing {
    const at = this.#now();
    const newestBefore = this.#table.newestPid();
    const pids = this.#table.pids();
    if (pids === null) return this.#listAll();
    const isSame = this.#identify(at, this.#table.newestPid());
    this.#inodes = new Map();
    const entries: ProcessEntry[] = [];
    for (const pid of pids) {
      if (!mustRead(pid) && isSame(pid)) continue;
      // Before the entry: if another process gets the pid in between, its number is not taken for that of the next.
      this.#inodes.set(pid, this.#table.inode(pid));
      const entry = this.#table.entry(pid);
      if (entry !== null) entries.push(entry);
    }
    this.#last = newestBefore === null ? null : { at, newest: newestBefore };
    const shown = new Set(pids);
    for (const pid of this.#known.keys()) if (!shown.has(pid)) this.#known.delete(pid);
    return { entries, shows: (pid) => shown.has(pid) };
  }

  /**
   * Reads some of the processes in advance, so that the first listing has less to do.
   *
   * @param isForeign whether a process will never belong to the run
   * @returns whether there are more of them
   */
  readAhead(count: number, isForeign: (entry: ProcessEntry) => boolean): boolean {
    this.#ahead ??= this.#table.pids() ?? [];
    for (const pid of this.#ahead.splice(0, count)) {
      const inode = this.#table.inode(pid);
      const entry = inode === null ? null : this.#table.entry(pid);
      if (inode !== null && entry !== null && isForeign(entry)) this.#known.set(pid, inode);
    }
    return this.#ahead.length > 0;
  }

  #listAll(): ProcessListing {
    const entries = this.#table.list();
    const shown = new Set(entries.map(({ pid }) => pid));
    return { entries, shows: (pid) => shown.has(pid) };
  }

  /** How to tell whether a pid is still that of the known process: by the pids given out since a moment ago, else by its inode. */
  #identify(now: number, newest: number | null): (pid: number) => boolean {
    const last = this.#last;
    const isKnownSince = newest !== null && last !== null && now - last.at < this.#table.noTurnMs;
    return (pid) => {
      const known = this.#known.get(pid);
      if (known === undefined) return false;
      if (isKnownSince && !isGivenOut(pid, last.newest, newest)) return true;
      return known === this.#table.inode(pid);
    };
  }
}

/** Whether `pid` is one of those given out after `from`, up to `to`; after the largest comes the smallest. */
function isGivenOut(pid: number, from: number, to: number): boolean {
  return from <= to ? from < pid && pid <= to : from < pid || pid <= to;
}

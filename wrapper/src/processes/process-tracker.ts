/**
 * Which processes belong to a run: decided from looks at the process table, and remembered.
 *
 * A process is a member when it is the run's leader; when it is in its cgroup; when it is a child of a member; when it is
 * in a process group or session that a member leads; or when it is orphaned, by the caller's rules. It stays a member
 * until it is dead, whatever becomes of its ancestors. What is to be kept is left out, with all of its descendants.
 *
 * Pids are given out again, but not while any process, a zombie too, has the number as its pid, group or session. So a
 * group or session number is ours without doubt in a look that shows the very process that gave it its number, or a
 * process known to be ours in it. Where a look shows neither, it stays ours for a moment: between two looks that follow
 * each other that closely, a machine does not give out all of its pids once around.
 */
import type { ProcessEntry } from './process-table.ts';

/** Far less than it takes to give out all pids once. */
const NUMBER_STAYS_OURS_MS = 500;
/** So many numbers that nobody uses any more are not worth a search for them. */
const SPARE_NUMBERS = 1_000;

/** A process that belongs to the run, as it was last seen. */
type Member = Pick<ProcessEntry, 'startTime' | 'pgid' | 'sid'>;

/** The caller's rules for a process that isn't known yet. */
export interface MembershipRules {
  /** Whether the process never belongs to the run, whatever speaks for it. */
  isExcluded(entry: ProcessEntry): boolean;
  /** Whether its cgroup, or an earlier look, proves that it belongs to the run. */
  isInside(entry: ProcessEntry): boolean;
  /** Whether it is left out, whatever speaks for it. Only called for what would otherwise be a member. */
  isKept(entry: ProcessEntry): boolean;
  /** Whether it is the run's although no relative is. */
  isOrphaned(entry: ProcessEntry): boolean;
}

/** What one look has shown of the run, the dead included. */
export interface TrackedProcesses {
  readonly members: readonly ProcessEntry[];
  readonly kept: readonly ProcessEntry[];
}

export class ProcessTracker {
  /** Those that belong to the run, by pid. */
  readonly #members = new Map<number, Member>();
  /** Numbers of groups and sessions that a member leads or led, and when each was last known to be ours. */
  readonly #numbers = new Map<number, { readonly startTime: string; readonly knownAt: number }>();

  constructor(leader: { readonly pid: number; readonly startTime: string }) {
    this.#members.set(leader.pid, { startTime: leader.startTime, pgid: leader.pid, sid: leader.pid });
    this.#numbers.set(leader.pid, { startTime: leader.startTime, knownAt: Number.NEGATIVE_INFINITY });
  }

  has(entry: ProcessEntry): boolean {
    return this.#members.get(entry.pid)?.startTime === entry.startTime;
  }

  /** Whether all who are in the process group `pgid` belong to the run, as of the last look. */
  ownsGroup(pgid: number): boolean {
    return this.#numbers.has(pgid);
  }

  /** Whether a process that the last look has not shown is a relative of a member. */
  isRelative(entry: ProcessEntry): boolean {
    return this.#members.has(entry.ppid) || this.#numbers.has(entry.pgid) || this.#numbers.has(entry.sid);
  }

  /** Known processes, to be followed to their children. */
  get pids(): number[] {
    return [...this.#members.keys()];
  }

  /** Known processes, with what tells them apart from others that had or will have their pids. */
  get known(): Pick<ProcessEntry, 'pid' | 'startTime'>[] {
    return [...this.#members].map(([pid, { startTime }]) => ({ pid, startTime }));
  }

  /** Members that were last seen in the process group `pgid`. */
  inGroup(pgid: number): Pick<ProcessEntry, 'pid' | 'startTime'>[] {
    return [...this.#members].flatMap(([pid, each]) =>
      each.pgid === pgid ? [{ pid, startTime: each.startTime }] : [],
    );
  }

  /** Adds a member, or updates it. */
  add({ pid, startTime, pgid, sid }: ProcessEntry, now: number): void {
    this.#members.set(pid, { startTime, pgid, sid });
    this.#numbers.set(pid, { startTime, knownAt: now });
  }

  /** Removes a process that has exited. */
  remove(pid: number, now: number): void {
    this.#members.delete(pid);
    // A run of weeks may start a million processes without ever being looked at as a whole.
    if (this.#numbers.size > 2 * this.#members.size + SPARE_NUMBERS) this.#removeUnusedNumbers(now);
  }

  /**
   * Updates the members from one look at all processes.
   *
   * @param now milliseconds on a clock that never goes back
   */
  update(entries: readonly ProcessEntry[], judge: MembershipRules, now: number): TrackedProcesses {
    this.#removeExited(new Map(entries.map((entry) => [entry.pid, entry])));
    const candidates = entries.filter((entry) => !entry.isKernel && !judge.isExcluded(entry));
    const relatives = indexRelatives(candidates);
    const own = new Set<ProcessEntry>();
    const kept = new Set<ProcessEntry>();
    const follow = (queue: ProcessEntry[]) => {
      for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
        if (own.has(entry) || kept.has(entry)) continue;
        if (judge.isKept(entry)) {
          this.#leaveOut(withDescendants(entry, relatives), own, kept);
        } else {
          own.add(entry);
          queue.push(...this.#addWithRelatives(entry, relatives, now));
        }
      }
    };
    follow(candidates.filter((entry) => this.has(entry) || judge.isInside(entry)));
    for (const entry of candidates) {
      if (!own.has(entry) && !kept.has(entry) && judge.isOrphaned(entry)) follow([entry]);
    }
    const inKnownNumbers: ProcessEntry[] = [];
    for (const [number, { knownAt }] of this.#numbers) {
      if (now - knownAt > NUMBER_STAYS_OURS_MS) this.#numbers.delete(number);
      else inKnownNumbers.push(...(relatives.inNumber.get(number) ?? []));
    }
    follow(inKnownNumbers);
    return { members: [...own], kept: [...kept] };
  }

  /** @returns its children, and who is in a group or session that is ours with it */
  #addWithRelatives(entry: ProcessEntry, { children, inNumber }: Relatives, now: number): ProcessEntry[] {
    this.add(entry, now);
    const relatives = [...(children.get(entry.pid) ?? [])];
    for (const number of new Set([entry.pid, entry.pgid, entry.sid])) {
      const known = this.#numbers.get(number);
      if (known === undefined) continue;
      this.#numbers.set(number, { ...known, knownAt: now });
      relatives.push(...(inNumber.get(number) ?? []));
    }
    return relatives;
  }

  /** Neither the processes nor what they lead are the run's any more. */
  #leaveOut(entries: Iterable<ProcessEntry>, own: Set<ProcessEntry>, kept: Set<ProcessEntry>): void {
    for (const entry of entries) {
      kept.add(entry);
      own.delete(entry);
      this.#members.delete(entry.pid);
      this.#numbers.delete(entry.pid);
    }
  }

  /** Numbers that no known process has as its own, its group's or its session's. */
  #removeUnusedNumbers(now: number): void {
    const used = new Set<number>();
    for (const [pid, { pgid, sid }] of this.#members) used.add(pid).add(pgid).add(sid);
    for (const [number, { knownAt }] of this.#numbers) {
      if (!used.has(number) && now - knownAt > NUMBER_STAYS_OURS_MS) this.#numbers.delete(number);
    }
  }

  /** Removes processes that have exited, and numbers that belong to another process by now. */
  #removeExited(byPid: ReadonlyMap<number, ProcessEntry>): void {
    for (const [pid, { startTime }] of this.#members) {
      if (byPid.get(pid)?.startTime !== startTime) this.#members.delete(pid);
    }
    for (const [number, { startTime }] of this.#numbers) {
      const entry = byPid.get(number);
      if (entry !== undefined && entry.startTime !== startTime) this.#numbers.delete(number);
    }
  }
}

interface Relatives {
  /** By the pid of the parent. */
  readonly children: ReadonlyMap<number, readonly ProcessEntry[]>;
  /** Members of the process group and of the session that have this number. */
  readonly inNumber: ReadonlyMap<number, readonly ProcessEntry[]>;
}

function indexRelatives(entries: readonly ProcessEntry[]): Relatives {
  const children = new Map<number, ProcessEntry[]>();
  const inNumber = new Map<number, ProcessEntry[]>();
  for (const entry of entries) {
    append(children, entry.ppid, entry);
    append(inNumber, entry.pgid, entry);
    if (entry.sid !== entry.pgid) append(inNumber, entry.sid, entry);
  }
  return { children, inNumber };
}

function withDescendants(root: ProcessEntry, { children }: Relatives): ReadonlySet<ProcessEntry> {
  const all = new Set([root]);
  // What is added while it is gone through is gone through, too.
  for (const { pid } of all) for (const child of children.get(pid) ?? []) all.add(child);
  return all;
}

function append(map: Map<number, ProcessEntry[]>, key: number, entry: ProcessEntry): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [entry]);
  else known.push(entry);
}

/** All processes that belong to a run: finds them and signals them. */
import { performance } from 'node:perf_hooks';
import { AdoptedOrphans } from './adopted-orphans.ts';
import { type Cgroup, openCgroup } from './cgroup.ts';
import { identity, KeptProcesses, removeExited } from './kept-processes.ts';
import { NonMembers } from './non-members.ts';
import { bootId, isAnybodyAt, type ProcessRef } from './process-ref.ts';
import { type ProcessEntry, type ProcessTable, processTable } from './process-table.ts';
import { ProcessTracker, type TrackedProcesses } from './process-tracker.ts';
import { findReaper, Reaper } from './reaper.ts';
import { RunInheritance } from './run-inheritance.ts';
import { sendSignals } from './send-signals.ts';

/** What identifies a tree. Plain data, to be stored as JSON. */
export interface ProcessTreeOrigin {
  /** The command's own process. It was started in a session and process group of its own. */
  readonly leader: ProcessRef;
  /** The name of an environment variable that every process of the run inherits, and that no other process has. */
  readonly cookie: string;
  /** The pipes that the command prints into, by name. None of another run has the same. */
  readonly pipes: readonly string[];
  /** The directory of the run's cgroup, if it has one. */
  readonly cgroup: string | null;
}

/** A living process that is related to a run, and that a kill leaves alone. */
export interface RelatedEntry {
  readonly pid: number;
  readonly ppid: number;
  /** Whether `LEASH_KEEP` excludes it; otherwise it inherited something of the run, which proves nothing. */
  readonly isKept: boolean;
}

/** A process of a run, as it was last seen. */
export interface KnownProcess {
  readonly pid: number;
  /** Null where it is not known. */
  readonly startTime: string | null;
}

export interface ProcessTree {
  /** One look: pids of all living processes of the run. Throws when the process table can't be read. */
  members(): number[];
  /** The same, for what is expected to have no members: cheap where few processes have been started since the command. */
  remaining(): number[];
  /**
   * A cheap look for children of processes known already, while their parents still live.
   *
   * @returns how many were new, or null when there is no need to go on: a cgroup holds them all
   */
  observe(): number | null;
  /**
   * Does a part of what the first look would have to do, so that it takes less time.
   *
   * @returns whether there is more to do
   */
  prepare(): boolean;
  /** Members that are known already, without a look: some may have exited. */
  known(): readonly KnownProcess[];
  /** The CPU time of all that has ever been in the run's cgroup; null where there is none. */
  cgroupCpuMs(): number | null;
  /** Goes through what precedes a signal, and sends none. May throw as `members` does. */
  rehearse(): void;
  /** Whether the command's own process has exited, even if nobody has collected it yet. */
  leaderHasExited(): boolean;
  /** Whether a member may hold the command's output open. False only where that can be told. */
  mayHoldOutput(pid: number): boolean;
  /**
   * Sends signals to every member, to each in this order; SIGKILL in such a way that what keeps forking is caught. The
   * leader's process group gets them first, where that is safe: finding the others takes time on a machine with many
   * processes.
   *
   * @returns when the first was sent (performance.now()); null when there was nobody who could be signalled
   */
  signal(...signals: readonly NodeJS.Signals[]): number | null;
  /**
   * What inherited from the run and isn't a member, as of the last look, and what is to be kept: ancestors first. Throws
   * when the process table can't be read.
   */
  related(): RelatedEntry[];
  /** From now on related processes are members. */
  includeRelated(): void;
  /** Removes the run's cgroup, if it is empty. */
  release(): void;
}

/** What a tree needs of the operating system; replaced in tests. */
export interface ProcessSystem {
  readonly table: ProcessTable;
  /** As `process.kill`: throws when there is no such process or it may not be signalled. */
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly isAnybodyAt: (target: number) => boolean;
  readonly openCgroup: (directory: string) => Cgroup | null;
  readonly ownPid: number;
  readonly bootId: string;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Who becomes the parent of orphans among our descendants, as far as that can be found out. */
  readonly findReaper: () => number | null;
}

/** The tree of a command that was never started. */
export const emptyTree: ProcessTree = {
  members: () => [],
  remaining: () => [],
  observe: () => null,
  prepare: () => false,
  known: () => [],
  cgroupCpuMs: () => null,
  rehearse: () => {},
  leaderHasExited: () => true,
  mayHoldOutput: () => true,
  signal: () => null,
  related: () => [],
  includeRelated: () => {},
  release: () => {},
};

/**
 * The process tree of a run.
 *
 * @param helpers processes of the wrapper's own that are never counted or signalled, although they may look like members;
 *   read anew at each look, so that more can be added
 */
export function openProcessTree(
  origin: ProcessTreeOrigin,
  helpers: readonly ProcessRef[] = [],
  system: ProcessSystem = thisMachine(),
): ProcessTree {
  // Whatever ran before the machine was restarted has ended, and start times of different boots may be equal.
  return origin.leader.bootId === system.bootId ? new TrackedTree(origin, helpers, system) : emptyTree;
}

function thisMachine(): ProcessSystem {
  return {
    table: processTable,
    kill: (pid, signal) => process.kill(pid, signal),
    isAnybodyAt,
    openCgroup,
    ownPid: process.pid,
    bootId: bootId(),
    now: () => performance.now(),
    findReaper,
  };
}

/** Shown to everyone, unless other users' processes are hidden. */
const INIT = 1;
/** The longest that one `observe` may hold up everything else; of a tree too large for that, the newest are seen. */
const OBSERVE_BUDGET_MS = 20;
/** So many processes are read in a few milliseconds. */
const READ_AHEAD = 200;
/** How often all are stopped and looked for again before they are killed: each time only finds what was just forked. */
const STOP_ROUNDS = 8;
/** The longest that the rounds go on, and the longest that a chase after them may hold up everything else. */
const STOP_MS = 100;
const CHASE_MS = 100;
const CLOSER_LOOK_MS = 15;
/** So many pids are looked at one by one sooner than all processes. */
const FEW_PIDS = 256;
/** How many of the newest pids a search looks at: others may be started beside ours. */
const SEARCH_WIDTH = 16;

class TrackedTree implements ProcessTree {
  readonly #leader: ProcessRef;
  readonly #pipes: readonly string[];
  readonly #cgroup: Cgroup | null;
  readonly #hadCgroup: boolean;
  readonly #helpers: readonly ProcessRef[];
  readonly #system: ProcessSystem;
  readonly #tracker: ProcessTracker;
  readonly #nonMembers: NonMembers;
  readonly #inheritance: RunInheritance;
  readonly #reaper: Reaper;
  readonly #kept: KeptProcesses;
  readonly #orphans: AdoptedOrphans;
  /** Start times, by pid, of related processes that aren't members, whatever becomes of their parents. */
  readonly #relatedElsewhere = new Map<number, string>();
  /** Our own process, its ancestors and helpers, as of the last look. */
  #excluded: ReadonlySet<number> = new Set();
  /** The process groups that they are in. */
  #excludedGroups: ReadonlySet<number> = new Set();
  /** What the last look has shown; null before the first. */
  #lastLook: (TrackedProcesses & { readonly entries: readonly ProcessEntry[] }) | null = null;
  #includesRelated = false;
  /** Whether the run's cgroup holds all that the command starts, so that nothing else needs to be followed. */
  #isContained = false;
  /** Whether the command was in the run's cgroup when it was last seen alive; null when it never was. */
  #leaderWasInside: boolean | null = null;
  /** Whether somebody is in the leader's group whom the last look did not show (`hidepid`). */
  #isGroupHidden = false;

  constructor(origin: ProcessTreeOrigin, helpers: readonly ProcessRef[], system: ProcessSystem) {
    this.#leader = origin.leader;
    this.#pipes = origin.pipes;
    this.#nonMembers = new NonMembers(system.table, system.now);
    this.#inheritance = new RunInheritance(origin, system.table);
    this.#reaper = new Reaper(system.findReaper);
    this.#kept = new KeptProcesses(system.table, system.now);
    this.#orphans = new AdoptedOrphans(origin.leader.pid, system.table);
    this.#cgroup = origin.cgroup === null ? null : system.openCgroup(origin.cgroup);
    this.#hadCgroup = origin.cgroup !== null;
    this.#helpers = helpers;
    this.#system = system;
    this.#tracker = new ProcessTracker(origin.leader);
  }

  members(): number[] {
    const members = this.#look().map((each) => each.pid);
    // Who it is can't be told, only that it is in the group with this number.
    if (this.#isGroupHidden) members.push(this.#leader.pid);
    return members.length > 0 ? members : this.#hiddenInCgroup();
  }

  remaining(): number[] {
    if (!this.#isCertainlyEmpty()) return this.members();
    this.#lastLook = { entries: [], members: [], kept: [] };
    return [];
  }

  /** What the command has started has a newer pid than it, unless those have gone once around. */
  #isCertainlyEmpty(): boolean {
    const { table, isAnybodyAt } = this.#system;
    const { pid: leader } = this.#leader;
    const newest = table.newestPid();
    if (newest === null || newest < leader || newest > leader + FEW_PIDS) return false;
    if (this.#cgroup?.isPopulated() === true || isAnybodyAt(-leader)) return false;
    this.#findExcluded((pid) => table.entry(pid));
    const started = Array.from({ length: newest - leader + 1 }, (_, index) => leader + index);
    return [...this.#tracker.pids, ...started].every((pid) => {
      const entry = table.entry(pid);
      return entry === null || !this.#isCandidate(entry) || !(this.#isKnown(entry) || this.#inheritance.has(entry));
    });
  }

  /** Who lives in the cgroup although no look has shown it. */
  #hiddenInCgroup(): number[] {
    const deadline = this.#system.now() + CLOSER_LOOK_MS;
    while (this.#cgroup?.isPopulated() === true && this.#system.now() < deadline) {
      const all = this.#cgroup.members();
      const inside = all.filter((pid) => !this.#excluded.has(pid) && !this.#isLeftOut(pid));
      if (inside.length > 0) return inside;
      // Those live on, and so it will be populated: that tells nothing.
      if (all.length > 0) return [];
    }
    return [];
  }

  observe(): number | null {
    if (this.#cgroup?.members().includes(this.#leader.pid) === true) {
      this.#leaderWasInside = true;
      return null;
    }
    if (!this.leaderHasExited()) this.#leaderWasInside = false;
    return this.#followChildren(this.#system.now() + OBSERVE_BUDGET_MS) ?? this.#observeAll();
  }

  /**
   * Finds children of known processes, and theirs.
   *
   * @returns how many were new; null where the system doesn't tell a process's children
   */
  #followChildren(deadline: number): number | null {
    const { table, now } = this.#system;
    const queue = this.#tracker.pids;
    let found = 0;
    for (let pid = queue.pop(); pid !== undefined && now() < deadline; pid = queue.pop()) {
      const parent = table.entry(pid);
      if (parent === null || !this.#tracker.has(parent)) {
        this.#tracker.remove(pid, now());
        continue;
      }
      this.#tracker.add(parent, now());
      const children = table.children(pid);
      if (children === null) return null;
      const born = this.#addChildren(pid, children);
      // One by one: there may be more than a call takes arguments.
      for (const child of born) queue.push(child);
      found += born.length;
    }
    return found;
  }

  prepare(): boolean {
    return this.#nonMembers.readAhead(
      READ_AHEAD,
      (entry) => !this.#tracker.has(entry) && (entry.isKernel || this.#inheritance.predates(entry)),
    );
  }

  known(): readonly KnownProcess[] {
    const inCgroup = this.#cgroup?.members() ?? [];
    const inside = inCgroup.filter((pid) => !this.#excluded.has(pid) && !this.#isLeftOut(pid));
    const pids = new Set(inside);
    const tracked = this.#tracker.known.filter(({ pid }) => !pids.has(pid));
    return [...tracked, ...inside.map((pid) => ({ pid, startTime: null }))];
  }

  cgroupCpuMs(): number | null {
    return this.#cgroup?.cpuMs() ?? null;
  }

  rehearse(): void {
    if (this.#knowsGroup()) this.#signalTarget(-this.#leader.pid, []);
  }

  /** Our own ancestors, and init. Neither we nor our helpers adopt orphans. */
  #ancestors(): number[] {
    const own = new Set([this.#system.ownPid, ...this.#helpers.map(({ pid }) => pid)]);
    return [...this.#excluded].filter((pid) => !own.has(pid));
  }

  /** Adds those of a member's children that were not known. */
  #addChildren(parent: number, children: readonly number[]): number[] {
    const born: number[] = [];
    for (const child of children) {
      const entry = this.#system.table.entry(child);
      // One that is not its child any more has ended, and its pid is another's.
      if (entry === null || entry.ppid !== parent || this.#tracker.has(entry) || this.#kept.wasFound(entry)) continue;
      this.#tracker.add(entry, this.#system.now());
      born.push(child);
    }
    return born;
  }

  leaderHasExited(): boolean {
    let entry: ProcessEntry | null;
    try {
      entry = this.#system.table.entry(this.#leader.pid);
    } catch {
      // It can't be looked at, for want of file descriptors perhaps: not known to have exited.
      return false;
    }
    // On a machine that hides other users' processes, so is a command that has become another user's (sudo).
    if (entry === null) return !this.#system.isAnybodyAt(this.#leader.pid);
    return entry.startTime !== this.#leader.startTime || !entry.isAlive;
  }

  mayHoldOutput(pid: number): boolean {
    return this.#system.table.mayHold(pid, this.#pipes);
  }

  signal(...signals: readonly NodeJS.Signals[]): number | null {
    const { pid } = this.#leader;
    let sentAt: number | null = null;
    try {
      if (signals.includes('SIGKILL')) return earliest(this.#killAll(), this.#signalHidden(signals));
      if (this.#knowsGroup()) sentAt = this.#signalTarget(-pid, signals);
      const members = this.#look();
      const others = sentAt === null ? members : members.filter(({ pgid }) => pgid !== pid);
      return earliest(sentAt, this.#signalMembers(signals, others), this.#signalHidden(signals));
    } catch {
      // The process table can't be read, for want of file descriptors perhaps: the leader's group needs no looking.
      return sentAt ?? (this.#isOwnGroup(pid) ? this.#signalTarget(-pid, signals) : null);
    }
  }

  /**
   * Whether the leader's group may be signalled before the whole machine is looked at: the leader lives, nobody in the
   * group is to be kept, and the children of all who are in it are known, because they are found by nothing else once
   * their parents have died of the signal.
   */
  #knowsGroup(): boolean {
    const { table, now } = this.#system;
    const { pid, startTime } = this.#leader;
    const leader = table.entry(pid);
    if (leader?.isAlive !== true || leader.startTime !== startTime || leader.pgid !== pid) return false;
    this.#findExcluded((each) => table.entry(each));
    if (!this.#isOwnGroup(pid)) return false;
    const orphans = this.#orphans.find(this.#ancestors());
    if (orphans === null) return false;
    for (const orphan of orphans) {
      if (this.#isCandidate(orphan) && !this.#kept.wasFound(orphan)) this.#tracker.add(orphan, now());
    }
    // However busy the machine is, and so without a limit: to look at all of it first would take longer still.
    if (this.#followChildren(Number.POSITIVE_INFINITY) === null) return false;
    return !this.#tracker.inGroup(pid).some((each) => this.#isKept({ ...each, isAlive: true }));
  }

  related(): RelatedEntry[] {
    if (this.#includesRelated) return [];
    if (this.#lastLook === null) this.#look();
    const { entries, members, kept } = this.#lastLook ?? { entries: [], members: [], kept: [] };
    const known = new Set([...members, ...kept]);
    const elsewhere = entries.filter(
      (entry) => !known.has(entry) && this.#isCandidate(entry) && this.#inheritance.has(entry),
    );
    for (const { pid, startTime } of elsewhere) this.#relatedElsewhere.set(pid, startTime);
    const all = [
      ...kept.filter(({ isAlive }) => isAlive).map(({ pid, ppid }) => ({ pid, ppid, isKept: true })),
      ...elsewhere.map(({ pid, ppid }) => ({ pid, ppid, isKept: false })),
    ];
    const pids = new Set(all.map(({ pid }) => pid));
    const isRoot = ({ ppid }: RelatedEntry) => !pids.has(ppid);
    return [...all.filter(isRoot), ...all.filter((each) => !isRoot(each))];
  }

  includeRelated(): void {
    this.#includesRelated = true;
  }

  release(): void {
    this.#cgroup?.remove();
  }

  /**
   * Kills all of it. Stopped first, all of it: a process that is stopped forks no more, and unlike a dead one it still
   * tells whose parent it is.
   */
  #killAll(): number | null {
    const deadline = this.#system.now() + STOP_MS;
    const cgroupKilledAt = this.#killCgroup();
    const { pid } = this.#leader;
    const groupStoppedAt = cgroupKilledAt === null && this.#knowsGroup() ? this.#signalTarget(-pid, ['SIGSTOP']) : null;
    let sentAt = earliest(cgroupKilledAt, groupStoppedAt);
    const stopped = new Set<string>();
    // What a process of a stopped group was just starting is stopped, too: the kernel sees to that.
    const isStopped = (each: ProcessEntry) =>
      (groupStoppedAt !== null && each.pgid === pid) || stopped.has(identity(each));
    let members = this.#look();
    for (let round = 0; round < STOP_ROUNDS && this.#system.now() < deadline; round += 1) {
      const fresh = members.filter((each) => !isStopped(each));
      if (fresh.length === 0) break;
      sentAt = earliest(sentAt, this.#signalMembers(['SIGSTOP'], fresh));
      for (const each of fresh) stopped.add(identity(each));
      members = this.#look();
    }
    sentAt = earliest(sentAt, this.#signalMembers(['SIGKILL'], members));
    const isStillGrowing = members.some((each) => !isStopped(each));
    return isStillGrowing ? earliest(sentAt, this.#killNewest()) : sentAt;
  }

  #killCgroup(): number | null {
    if (this.#cgroup === null) return null;
    const inside = this.#cgroup.members();
    if (inside.length === 0) return null;
    this.#findExcluded((pid) => this.#system.table.entry(pid));
    const isSpared = (pid: number) => !this.#includesRelated && pid !== this.#leader.pid && this.#kept.hasPid(pid);
    if (inside.some((pid) => this.#excluded.has(pid) || isSpared(pid))) return null;
    const at = this.#system.now();
    return this.#cgroup.kill() ? at : null;
  }

  /** Kills what a look at all processes is too slow for. */
  #killNewest(): number | null {
    let sentAt: number | null = null;
    this.#searchNewest(CHASE_MS, (entry) => {
      this.#tracker.add(entry, this.#system.now());
      sentAt = earliest(sentAt, this.#signalTarget(entry.pid, ['SIGKILL']));
      return false;
    });
    return sentAt;
  }

  /**
   * Finds members that are gone again before a look at all processes is over, such as a chain of processes each of which
   * starts the next and exits: looks at the newest pids alone, over and over, for as long as new ones are given out.
   *
   * @param isEnough is told of each living member found; true ends the search
   */
  #searchNewest(limitMs: number, isEnough: (entry: ProcessEntry) => boolean): void {
    const { table, now } = this.#system;
    const deadline = now() + limitMs;
    let newest = table.newestPid();
    while (newest !== null && now() < deadline) {
      let hasFound = false;
      for (let pid = newest; pid > newest - SEARCH_WIDTH && pid > 1; pid -= 1) {
        const entry = table.entry(pid);
        if (entry === null || !this.#isLivingMember(entry)) continue;
        if (isEnough(entry)) return;
        hasFound = true;
      }
      const next = table.newestPid();
      // What was there has been looked at, and nothing has been started meanwhile.
      if (next === newest && !hasFound) return;
      newest = next;
    }
  }

  #isLivingMember(entry: ProcessEntry): boolean {
    if (!this.#isCandidate(entry) || this.#isKept(entry) || this.#isLeftOut(entry.ppid)) return false;
    return this.#isKnown(entry) || this.#isOrphaned(entry, (pid) => this.#system.table.entry(pid));
  }

  #isKnown(entry: ProcessEntry): boolean {
    return this.#tracker.has(entry) || this.#tracker.isRelative(entry) || this.#kept.wasFound(entry);
  }

  #isCandidate(entry: ProcessEntry): boolean {
    return entry.isAlive && !entry.isKernel && !this.#excluded.has(entry.pid);
  }

  /** Whether it is left out. The command's own process never is: what is asked to end is the run. */
  #isKept(entry: Pick<ProcessEntry, 'pid' | 'startTime' | 'isAlive'>): boolean {
    if (this.#includesRelated || !entry.isAlive || entry.pid === this.#leader.pid) return false;
    return this.#kept.has(entry);
  }

  /** Whether the process with this pid was left out at the last look. */
  #isLeftOut(pid: number): boolean {
    return !this.#includesRelated && this.#kept.hadPid(pid);
  }

  /** All living members. */
  #look(): ProcessEntry[] {
    const { table, now } = this.#system;
    const newest = table.newestPid();
    const inCgroup = new Set(this.#cgroup?.members());
    const { entries, shows } = this.#nonMembers.list((pid) => inCgroup.has(pid));
    const byPid = new Map(entries.map((entry) => [entry.pid, entry]));
    const entryOf = (pid: number) => byPid.get(pid) ?? (shows(pid) ? table.entry(pid) : null);
    this.#findExcluded(entryOf);
    this.#isGroupHidden = !shows(INIT) && this.#isSomebodyHidden(entries);
    this.#isContained = this.#cgroupHoldsAll(byPid.get(this.#leader.pid) ?? null, inCgroup);
    const found = this.#tracker.update(
      entries,
      {
        isExcluded: (entry) => this.#excluded.has(entry.pid),
        isInside: (entry) => inCgroup.has(entry.pid) || this.#kept.wasFound(entry),
        isKept: (entry) => this.#isKept(entry),
        isOrphaned: (entry) => this.#isOrphaned(entry, entryOf),
      },
      now(),
    );
    this.#lastLook = { ...found, entries };
    this.#updateKept(found, byPid);
    this.#inheritance.removeExited(shows);
    this.#addNonMembers(found, entries, byPid);
    const living = found.members.filter((entry) => entry.isAlive);
    return living.length > 0 ? living : this.#lookCloser(newest);
  }

  /**
   * Whether all that the command has started is in its cgroup, so that what a process elsewhere inherited proves nothing.
   * Not where the command has never entered it, or has left it again. Where it had ended before anyone looked, a cgroup that is still
   * there says that it was inside; one that is gone may have gone before it could enter.
   */
  #cgroupHoldsAll(leader: ProcessEntry | null, inCgroup: ReadonlySet<number>): boolean {
    if (!this.#hadCgroup) return false;
    const isLeaderAlive = leader?.isAlive === true && leader.startTime === this.#leader.startTime;
    if (isLeaderAlive) this.#leaderWasInside = inCgroup.has(this.#leader.pid);
    return this.#leaderWasInside ?? this.#cgroup !== null;
  }

  /** Updates which processes are kept, and removes those that have exited. */
  #updateKept({ kept }: TrackedProcesses, byPid: ReadonlyMap<number, ProcessEntry>): void {
    this.#kept.update(kept, byPid);
    removeExited(this.#relatedElsewhere, byPid);
  }

  /**
   * Adds what will never belong to the run: what was there before it, the kernel's own threads, and what has inherited
   * nothing of it and descends from nothing that has. (A related process may become a member, and its children with it.)
   */
  #addNonMembers(
    { members, kept }: TrackedProcesses,
    entries: readonly ProcessEntry[],
    byPid: ReadonlyMap<number, ProcessEntry>,
  ): void {
    const own = new Set([...members, ...kept]);
    const verdicts = new Map<ProcessEntry, boolean>();
    const isForeign = (entry: ProcessEntry): boolean => {
      // Until that is known; pids that change hands could otherwise lead in a circle.
      verdicts.set(entry, false);
      const isOld = entry.isKernel || this.#inheritance.predates(entry);
      const verdict =
        !own.has(entry) && (isOld || (this.#inheritance.isUnmarked(entry) && isForeignParent(entry.ppid)));
      verdicts.set(entry, verdict);
      return verdict;
    };
    const isForeignParent = (pid: number): boolean => {
      const parent = byPid.get(pid);
      // Those that were not read are known.
      return parent === undefined ? this.#nonMembers.has(pid) : (verdicts.get(parent) ?? isForeign(parent));
    };
    for (const entry of entries) if (verdicts.get(entry) ?? isForeign(entry)) this.#nonMembers.add(entry.pid);
  }

  /** Whether the leader's group has somebody though no living process in it is shown. A zombie may be taken for one. */
  #isSomebodyHidden(entries: readonly ProcessEntry[]): boolean {
    const group = this.#leader.pid;
    return !entries.some(({ pgid, isAlive }) => isAlive && pgid === group) && this.#system.isAnybodyAt(-group);
  }

  /**
   * Makes sure that nobody is left: what lives only for the blink of an eye may have slipped through a look.
   *
   * @param newest the pid given out last before that look; if it still is, nothing slipped through
   */
  #lookCloser(newest: number | null): ProcessEntry[] {
    const found: ProcessEntry[] = [];
    if (this.#system.table.newestPid() === newest) return found;
    this.#searchNewest(CLOSER_LOOK_MS, (entry) => {
      this.#tracker.add(entry, this.#system.now());
      return found.push(entry) > 0;
    });
    return found;
  }

  /** The same where the system does not tell a process's children: by a look at all processes. */
  #observeAll(): number {
    const known = new Set(this.#tracker.pids);
    return this.#look().filter((each) => !known.has(each.pid)).length;
  }

  /**
   * Whether it inherited from the run and lost its parent as a daemon does. The inheritance alone isn't proof: an
   * environment is also handed to jobs of `at` and to services that are restarted. Those have an ancestor that was there
   * before the run and that doesn't adopt orphans.
   */
  #isOrphaned(entry: ProcessEntry, entryOf: (pid: number) => ProcessEntry | null): boolean {
    if (this.#includesRelated) return this.#isCandidate(entry) && this.#inheritance.has(entry);
    if (this.#isContained || this.#relatedElsewhere.get(entry.pid) === entry.startTime) return false;
    return this.#inheritance.has(entry) && this.#hasLostParents(entry, entryOf);
  }

  #hasLostParents(entry: ProcessEntry, entryOf: (pid: number) => ProcessEntry | null): boolean {
    const seen = new Set<number>();
    let { ppid } = entry;
    while (ppid !== INIT && !seen.has(ppid)) {
      seen.add(ppid);
      const parent = entryOf(ppid);
      // Outside our PID namespace, or another user's where those are hidden: only the order of pids tells of its age.
      if (parent === null) return ppid > this.#leader.pid;
      if (this.#tracker.has(parent)) return true;
      if (this.#excluded.has(ppid)) return this.#reaper.is(parent, entryOf);
      if (this.#inheritance.predates(parent)) return false;
      ppid = parent.ppid;
    }
    return ppid === INIT;
  }

  /** Finds the processes that are never signalled, whatever they look like: pid 1, ourselves, our ancestors, our helpers. */
  #findExcluded(entryOf: (pid: number) => ProcessEntry | null): void {
    const excluded = new Set([INIT]);
    const groups = new Set<number>();
    const add = (entry: ProcessEntry) => {
      excluded.add(entry.pid);
      groups.add(entry.pgid);
    };
    let ancestor = entryOf(this.#system.ownPid);
    while (ancestor !== null && !excluded.has(ancestor.pid)) {
      add(ancestor);
      ancestor = entryOf(ancestor.ppid);
    }
    excluded.add(this.#system.ownPid);
    for (const helper of this.#helpers) {
      const entry = entryOf(helper.pid);
      if (entry?.startTime === helper.startTime) add(entry);
    }
    this.#excluded = excluded;
    this.#excludedGroups = groups;
  }

  /** To whole process groups where all of one are members, so that none can slip through by forking; else one by one. */
  #signalMembers(signals: readonly NodeJS.Signals[], members: readonly ProcessEntry[]): number | null {
    const groups = new Map<number, ProcessEntry[]>();
    let sentAt: number | null = null;
    for (const each of members) {
      if (this.#isOwnGroup(each.pgid)) groups.set(each.pgid, [...(groups.get(each.pgid) ?? []), each]);
      else if (this.#isUnchanged(each)) sentAt = earliest(sentAt, this.#signalTarget(each.pid, signals));
    }
    for (const [pgid, known] of groups) {
      const isOurs = known.some((each) => this.#isUnchanged(each));
      if (isOurs) sentAt = earliest(sentAt, this.#signalTarget(-pgid, signals));
    }
    return sentAt;
  }

  #isOwnGroup(pgid: number): boolean {
    if (this.#excludedGroups.has(pgid) || this.#kept.isInGroup(pgid)) return false;
    return pgid > 1 && this.#tracker.ownsGroup(pgid);
  }

  /** Whether the pid is still that process's: it may have ended, and another got its pid. */
  #isUnchanged({ pid, pgid, startTime }: ProcessEntry): boolean {
    const now = this.#system.table.entry(pid);
    return now !== null && now.startTime === startTime && now.pgid === pgid;
  }

  /** Somebody is in the leader's group who can't be seen. */
  #signalHidden(signals: readonly NodeJS.Signals[]): number | null {
    return this.#isGroupHidden ? this.#signalTarget(-this.#leader.pid, signals) : null;
  }

  #signalTarget(target: number, signals: readonly NodeJS.Signals[]): number | null {
    return sendSignals(target, signals, this.#system);
  }
}

function earliest(...moments: readonly (number | null)[]): number | null {
  return moments.reduce((first, each) => (first === null || (each !== null && each < first) ? each : first), null);
}

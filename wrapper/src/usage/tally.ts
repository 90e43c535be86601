/**
 * Adds up what the processes of a run have used, those that are gone included. Pure.
 *
 * The kernel adds what a process has used to its parent when the parent waits for it. So the living have everything,
 * except for what nobody of the run waits for: a daemon, which init waits for, and the children of who ignores SIGCHLD. Of
 * those, what was last seen is kept. The two are told apart by whether the nearest ancestor that is left has got at least
 * as much more from children as has vanished below it; and because looks are not made at one moment, that is compared anew
 * each time. Read parents before their children: then nothing is counted twice.
 */
import { type Amounts, NOTHING_USED, type ProcessFigures } from './process-figures.ts';

interface Known {
  readonly figures: ProcessFigures;
  /** What it had of children when it was first seen. */
  readonly base: Amounts;
  /** What has vanished below it, and must turn up in what it has of children. */
  vanished: Amounts;
}

export class Tally {
  #known: ReadonlyMap<number, Known> = new Map();
  /** What nobody of the run has waited for. */
  #lost: Amounts = NOTHING_USED;

  /** Known processes, ancestors before their descendants as a rule. */
  get pids(): readonly number[] {
    return [...this.#known.keys()];
  }

  /**
   * Adds up after a look.
   *
   * @param seen each process of the run that is there, dead ones that nobody has waited for included
   */
  update(seen: readonly ProcessFigures[]): Amounts {
    const before = this.#known;
    const now = new Map<number, Known>();
    for (const figures of seen) now.set(figures.pid, knownNow(figures, before.get(figures.pid)));
    for (const [pid, gone] of before)
      if (now.get(pid)?.figures.startTime !== gone.figures.startTime) this.#forget(gone, now);
    this.#known = now;
    return seen
      .map(({ pid }) => now.get(pid))
      .reduce((sum, each) => (each === undefined ? sum : plus(sum, all(each))), this.#lost);
  }

  #forget(gone: Known, now: ReadonlyMap<number, Known>): void {
    const heir = this.#nearestLeft(gone.figures, now);
    if (heir === null) this.#lost = plus(this.#lost, all(gone));
    else heir.vanished = plus(heir.vanished, all(gone));
  }

  #nearestLeft({ ppid }: ProcessFigures, now: ReadonlyMap<number, Known>): Known | null {
    const visited = new Set<number>();
    for (let pid = ppid; !visited.has(pid); ) {
      visited.add(pid);
      const before = this.#known.get(pid);
      if (before === undefined) return null;
      const left = now.get(pid);
      if (left?.figures.startTime === before.figures.startTime) return left;
      pid = before.figures.ppid;
    }
    return null;
  }
}

function knownNow(figures: ProcessFigures, before: Known | undefined): Known {
  return before?.figures.startTime === figures.startTime
    ? { figures, base: before.base, vanished: before.vanished }
    : { figures, base: figures.ofChildren, vanished: NOTHING_USED };
}

/** What a process has used, and what has vanished below it without turning up in that. */
function all({ figures, base, vanished }: Known): Amounts {
  const turnedUp = minus(figures.ofChildren, base);
  return plus(figures.total, minus(vanished, turnedUp));
}

export function plus(one: Amounts, other: Amounts): Amounts {
  return combine(one, other, (a, b) => a + b);
}

/** Not below zero. */
export function minus(one: Amounts, other: Amounts): Amounts {
  return combine(one, other, (a, b) => Math.max(0, a - b));
}

function combine(one: Amounts, other: Amounts, of: (a: number, b: number) => number): Amounts {
  return {
    cpuMs: of(one.cpuMs, other.cpuMs),
    readBytes: of(one.readBytes, other.readBytes),
    writtenBytes: of(one.writtenBytes, other.writtenBytes),
  };
}

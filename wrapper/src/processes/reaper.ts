/** Who becomes the parent of what loses its own. */
import { execFileSync } from 'node:child_process';
import type { ProcessEntry } from './process-table.ts';

const TIME_LIMIT_MS = 1_000;

/** A child of a shell that exits at once says whose child it is then. */
const SCRIPT = `
(while read -r _ _ _ parent _ </proc/self/stat && [ "$parent" -eq $$ ]; do :; done; echo "$parent") &
`;

/**
 * The pid of the process to which orphans among our descendants are given: init, or the nearest of our ancestors that is a
 * "child subreaper", as `systemd --user` is. The kernel doesn't tell which are, so it is tried out, which takes some
 * milliseconds. Null when it can't be found out.
 */
export function findReaper(): number | null {
  try {
    const said = execFileSync('/bin/sh', ['-c', SCRIPT], {
      encoding: 'utf8',
      timeout: TIME_LIMIT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {},
    });
    const pid = Number.parseInt(said, 10);
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    // EAGAIN: there is no room for another process. Or there is no /proc.
    return null;
  }
}

/** The same, found out once for as long as that process lives. */
export class Reaper {
  readonly #find: () => number | null;
  #known: ProcessEntry | null = null;

  constructor(find: () => number | null) {
    this.#find = find;
  }

  /** Whether an ancestor of ours is the one. Where it can't be found out it is: sooner too much is ended than too little. */
  is(ancestor: ProcessEntry, entryOf: (pid: number) => ProcessEntry | null): boolean {
    const known = this.#known;
    if (known === null || entryOf(known.pid)?.startTime !== known.startTime) {
      const found = this.#find();
      this.#known = found === null ? null : entryOf(found);
    }
    return this.#known === null || this.#known.pid === ancestor.pid;
  }
}

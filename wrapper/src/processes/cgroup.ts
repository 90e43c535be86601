/**
 * A cgroup (v2) of the run's own: nothing that is started inside can leave it unless it is root, and one write kills all
 * of it, however fast it forks. Only to be had where the wrapper may make a directory inside its own cgroup: as root, or
 * where a part of the tree has been delegated to it.
 *
 * No controllers are enabled: the run's resources stay accounted for where the wrapper's are.
 */
import fs from 'node:fs';
import path from 'node:path';
import { decodeTime, isValid } from 'ulid';
import { uniqueUlid } from '../host/unique-ulid.ts';
import { isAnybodyAt } from './process-ref.ts';

export interface Cgroup {
  /** Its directory. */
  readonly path: string;
  /** A process that writes its pid (or 0) here is inside from then on, and with it all that it starts. */
  readonly joinFile: string;
  /** Pids of all processes inside, those in cgroups inside it included. */
  members(): number[];
  /** Whether anything lives inside: certain, even if what does is gone before it could be listed. */
  isPopulated(): boolean;
  /** The CPU time of all that was ever inside; null where that can't be told. The kernel counts it without a controller. */
  cpuMs(): number | null;
  /** Kills everything inside at once, whoever it belongs to; false where the kernel (before 5.14) can't. */
  kill(): boolean;
  /** Removes it with the empty ones inside it; false while something lives there. */
  remove(): boolean;
}

const PREFIX = 'leash-';

/** By then the command has been started, as a rule: it does not wait for what others have left. */
const TIDY_AFTER_MS = 100;
/** The command of a younger one may be about to enter it, and who made it may live where we can't see it. */
const ABANDONED_AFTER_MS = 60_000;

/**
 * Makes a cgroup for a run inside our own; null where that is not possible. Never throws. A moment later it removes, in
 * the background, those that other runs left because something still lived there when they ended.
 *
 * @param id names it, and has its time and its maker in it. Not the run's own: everyone on the machine can list cgroups
 */
export function createCgroup(id = `${uniqueUlid()}-${process.pid}`): Cgroup | null {
  if (process.platform !== 'linux') return null;
  try {
    const parent = ownDirectory();
    if (parent === null) return null;
    // To move a process, one must be allowed to write here too, not only where it goes.
    fs.accessSync(path.join(parent, 'cgroup.procs'), fs.constants.W_OK);
    const directory = path.join(parent, `${PREFIX}${id}`);
    fs.mkdirSync(directory);
    // Below a cgroup of threads ours would be one that no process can enter.
    if (readFile(path.join(directory, 'cgroup.type')).trim() === 'domain') {
      setTimeout(() => void removeAbandoned(parent), TIDY_AFTER_MS).unref();
      return cgroupAt(directory);
    }
    fs.rmdirSync(directory);
    return null;
  } catch {
    // No cgroup v2, a read-only one, or one that is not ours to divide: the usual case for other users than root.
    return null;
  }
}

/**
 * Removes the runs' cgroups inside `directory` in which nothing lives any more, nested runs' included. Never fails.
 *
 * @param directory a cgroup, or any directory: only empty ones are removed
 */
export async function removeAbandoned(directory: string, nowMs = Date.now()): Promise<void> {
  const entries = await fs.promises.readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory() || !isAbandoned(entry.name, nowMs)) continue;
    const abandoned = path.join(directory, entry.name);
    await removeAbandoned(abandoned, nowMs);
    // EBUSY: something lives in it. ENOENT: another run was faster.
    await fs.promises.rmdir(abandoned).catch(() => {});
  }
}

/**
 * By the time within its name: the kernel does not keep when a cgroup was made. Never while who made it lives: the clock
 * may have been put forward before its command has entered it.
 */
function isAbandoned(name: string, nowMs: number): boolean {
  const [id = '', maker] = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split('-') : [];
  if (!isValid(id) || nowMs - decodeTime(id) <= ABANDONED_AFTER_MS) return false;
  return maker === undefined || !isAnybodyAt(Number(maker));
}

/** A cgroup that `createCgroup` made, by the path it had; null when it is not there any more. Never throws. */
export function openCgroup(directory: string): Cgroup | null {
  const isOurs = path.isAbsolute(directory) && path.basename(directory).startsWith(PREFIX);
  return isOurs && fs.existsSync(path.join(directory, 'cgroup.procs')) ? cgroupAt(directory) : null;
}

function cgroupAt(directory: string): Cgroup {
  return {
    path: directory,
    joinFile: path.join(directory, 'cgroup.procs'),
    members: () => [...new Set(membersOf(directory))],
    isPopulated: () => {
      try {
        return /^populated 1$/m.test(readFile(path.join(directory, 'cgroup.events')));
      } catch {
        // It has been removed.
        return false;
      }
    },
    cpuMs: () => {
      try {
        const used = /^usage_usec (\d+)$/m.exec(readFile(path.join(directory, 'cpu.stat')))?.[1];
        return used === undefined ? null : Number(used) / 1_000;
      } catch {
        // It has been removed.
        return null;
      }
    },
    kill: () => {
      try {
        // For writing alone: its owner may not read it.
        fs.writeFileSync(path.join(directory, 'cgroup.kill'), '1');
        return true;
      } catch {
        // EACCES: an older kernel, or it is another user's. ENOENT: it has been removed.
        return false;
      }
    },
    remove: () => removeTree(directory),
  };
}

function membersOf(directory: string): number[] {
  let own: number[] = [];
  try {
    own = fs
      .readFileSync(path.join(directory, 'cgroup.procs'), 'latin1')
      .split('\n')
      .map(Number)
      // 0 is a process that this pid namespace doesn't show.
      .filter((pid) => pid > 0);
  } catch {
    // It has been removed, or it holds threads instead of processes.
  }
  return [...own, ...subdirectories(directory).flatMap(membersOf)];
}

function removeTree(directory: string): boolean {
  subdirectories(directory).forEach(removeTree);
  try {
    fs.rmdirSync(directory);
    return true;
  } catch {
    // EBUSY: something lives in it. ENOENT: someone else has removed it.
    return !fs.existsSync(directory);
  }
}

function subdirectories(directory: string): string[] {
  try {
    return fs
      .readdirSync(directory, { withFileTypes: true })
      .flatMap((each) => (each.isDirectory() ? [path.join(directory, each.name)] : []));
  } catch {
    // It has been removed.
    return [];
  }
}

/** The directory of the cgroup that we are in; null when it can't be seen from here. */
function ownDirectory(): string | null {
  const directory = cgroupDirectory(readFile('/proc/self/cgroup'), readFile('/proc/self/mountinfo'));
  if (directory === null) return null;
  // The proof that all of this was understood rightly. Fails, too, in a cgroup of threads.
  const pids = readFile(path.join(directory, 'cgroup.procs')).split('\n');
  return pids.includes(String(process.pid)) ? directory : null;
}

/**
 * Where a process's cgroup is to be found.
 *
 * @param cgroup its `/proc/<pid>/cgroup`
 * @param mountinfo its `/proc/<pid>/mountinfo`
 */
export function cgroupDirectory(cgroup: string, mountinfo: string): string | null {
  const own = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  // What lies outside our cgroup namespace is written with dots.
  if (own === undefined || own.split('/').includes('..') || own.endsWith(' (deleted)')) return null;
  for (const line of mountinfo.split('\n')) {
    const [, , , root, mountPoint, ...rest] = line.split(' ').map(unescaped);
    if (root === undefined || mountPoint === undefined || rest[rest.indexOf('-') + 1] !== 'cgroup2') continue;
    const inside = path.posix.relative(root, own);
    if (inside !== '..' && !inside.startsWith('../')) return path.posix.join(mountPoint, inside);
  }
  return null;
}

/** Spaces and the like are written as octal numbers. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function readFile(file: string): string {
  return fs.readFileSync(file, 'utf8');
}

/** Starts a process that runs on its own, alongside the run or after it. */
import { type ChildProcess, type IOType, spawn } from 'node:child_process';
import fs from 'node:fs';

export interface SpawnDetachedOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** null for our own, which may have been deleted. */
  readonly cwd: string | null;
  /** Descriptors 0 and up. */
  readonly stdio: readonly (IOType | number)[];
}

/**
 * Starts a program in a session of its own, with the given descriptors and no others.
 *
 * Our caller may have passed more to us: the lock in `( flock 200; leash run … ) 200>lock`, or a pipe by which it waits for
 * our exit. They are for the command. In a process that continues to run, the lock would stay locked, and the caller wait.
 */
export function spawnDetached(
  program: string,
  args: readonly string[],
  { env, cwd, stdio }: SpawnDetachedOptions,
): ChildProcess {
  const where = cwd === null ? {} : { cwd };
  const strays = inheritable().filter((fd) => fd >= stdio.length);
  if (strays.length === 0)
    return spawn(program, args, { env: { ...env }, ...where, detached: true, stdio: [...stdio] });
  const nothing = fs.openSync('/dev/null', 'r+');
  try {
    const all = Array.from({ length: Math.max(...strays) + 1 }, (_, fd): IOType | number => {
      // Beyond stderr 'ignore' leaves a descriptor as it is.
      return stdio[fd] ?? (strays.includes(fd) ? nothing : 'ignore');
    });
    return spawn(program, args, { env: { ...env }, ...where, detached: true, stdio: all });
  } finally {
    fs.closeSync(nothing);
  }
}

/** Our descriptors that stay open in a program that we exec or start, without Node's own. */
function inheritable(): number[] {
  try {
    return fs.readdirSync('/proc/self/fd').map(Number).filter(isInheritable);
  } catch {
    // No /proc: what a caller may have left is not known.
    return [];
  }
}

const O_CLOEXEC = 0o2000000;

function isInheritable(fd: number): boolean {
  try {
    const info = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? '0', 8);
    return (flags & O_CLOEXEC) === 0;
  } catch {
    // It is closed: it was the descriptor by which the directory was read.
    return false;
  }
}

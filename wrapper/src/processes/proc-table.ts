/** The process table as Linux shows it in /proc. */
import fs from 'node:fs';
import os from 'node:os';
import { hasCode } from '../host/error-code.ts';
import type { ProcessEntry, ProcessTable } from './process-table.ts';

export const procTable: ProcessTable = {
  list: () => pids().flatMap((pid) => readEntry(pid) ?? []),
  entry: readEntry,
  pids,
  // The kernel numbers its entries one after the other, and a process keeps its own until that is evicted from memory.
  inode: (pid) => fs.statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.ino ?? null,
  children,
  adopted: (pid) => {
    try {
      return childrenOfThread(pid, pid);
    } catch {
      // It has ended, it is hidden from us, or there are no such files.
      return null;
    }
  },
  hasVariable,
  printsInto: (pid, pipes) =>
    pipes.length > 0 &&
    [1, 2].some((fd) => {
      const target = targetOf(pid, fd);
      return target !== null && pipes.includes(target);
    }),
  mayHold,
  nameOfPipe: (fd) => {
    const target = targetOf(process.pid, fd);
    // The number of one without a path (`pipe:[…]`) is another's when it is gone.
    return target?.startsWith('/') === true ? target : null;
  },
  newestPid,
  get noTurnMs() {
    knownNoTurnMs ??= readMaxPid() / (os.cpus().length * MAX_PIDS_PER_MS);
    return knownNoTurnMs;
  },
};

/** More than a processor can start threads in a millisecond, even if each attempt fails. */
const MAX_PIDS_PER_MS = 100;

let knownNoTurnMs: number | null = null;

function readMaxPid(): number {
  try {
    return Number(fs.readFileSync('/proc/sys/kernel/pid_max', 'latin1'));
  } catch {
    // A container may hide it. This is the smallest that is usual.
    return 32_768;
  }
}

/** `PF_KTHREAD` in the flags of a process. */
const KERNEL_THREAD = 0x0020_0000;

/** Reads `/proc/<pid>/stat`: `pid (name) state ppid pgrp …`, where the name may hold anything, parentheses too. */
export function parseStat(stat: string): ProcessEntry | null {
  const pid = Number.parseInt(stat, 10);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ppid, pgid, sid, , , flags] = fields;
  const threads = Number(fields[17]);
  const startTime = fields[19];
  if (!Number.isInteger(pid) || state === undefined || startTime === undefined) return null;
  return {
    pid,
    ppid: Number(ppid),
    pgid: Number(pgid),
    sid: Number(sid),
    startTime,
    // A process whose main thread has ended looks like a zombie while its other threads run on.
    isAlive: !/[ZXx]/.test(state) || (state === 'Z' && threads > 1),
    isKernel: (Number(flags) & KERNEL_THREAD) !== 0,
  };
}

function pids(): number[] {
  const found: number[] = [];
  // Processes are the only entries whose names begin with a digit.
  for (const name of fs.readdirSync('/proc')) if (isDigit(name.charCodeAt(0))) found.push(Number(name));
  return found;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Longer than any line of `stat`, so that one read gets all of it. */
const buffer = Buffer.allocUnsafe(4_096);

function readEntry(pid: number): ProcessEntry | null {
  try {
    const file = fs.openSync(`/proc/${pid}/stat`, 'r');
    try {
      return parseStat(buffer.toString('latin1', 0, fs.readSync(file, buffer, 0, buffer.length, 0)));
    } finally {
      fs.closeSync(file);
    }
  } catch (error) {
    // It ended before or while we looked, or it is hidden from us. Not to be able to look at all is something else.
    if (isOutOfFiles(error)) throw error;
    return null;
  }
}

/** As `fs.readFileSync`, which allocates 64 KiB for each read of a file that doesn't tell its size. */
function readText(path: string): string {
  const file = fs.openSync(path, 'r');
  try {
    let text = '';
    for (;;) {
      const length = fs.readSync(file, buffer, 0, buffer.length, null);
      if (length === 0) return text;
      text += buffer.toString('latin1', 0, length);
    }
  } finally {
    fs.closeSync(file);
  }
}

function children(pid: number): number[] | null {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).flatMap((thread) => childrenOfThread(pid, thread));
  } catch {
    // The process or one of its threads has just ended, or the kernel was built without these files.
    return hasChildrenFiles() ? [] : null;
  }
}

function childrenOfThread(pid: number, thread: number | string): number[] {
  return numbers(readText(`/proc/${pid}/task/${thread}/children`));
}

let childrenFiles: boolean | null = null;

function hasChildrenFiles(): boolean {
  childrenFiles ??= fs.existsSync(`/proc/self/task/${process.pid}/children`);
  return childrenFiles;
}

function hasVariable(pid: number, name: string, value?: string): boolean | null {
  let environment: Buffer;
  try {
    environment = fs.readFileSync(`/proc/${pid}/environ`);
  } catch (error) {
    if (isOutOfFiles(error)) throw error;
    // EACCES: another user's, or one that has changed its user. ENOENT, ESRCH: it has ended.
    return codeOf(error) === 'EACCES' ? false : null;
  }
  // A process that is just being replaced by another program has no environment for a moment.
  if (environment.length === 0) return null;
  const assignment = Buffer.from(value === undefined ? `${name}=` : `${name}=${value}\0`);
  for (let at = environment.indexOf(assignment); at !== -1; at = environment.indexOf(assignment, at + 1)) {
    if (at === 0 || environment[at - 1] === 0) return true;
  }
  return false;
}

function mayHold(pid: number, pipes: readonly string[]): boolean {
  let fds: string[];
  try {
    fds = fs.readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    // EACCES: another user's. It holds nothing any more when it has ended.
    return !hasCode(error, 'ENOENT');
  }
  // The pipes of one that could not be made by name can't be told apart.
  if (pipes.length === 0) return true;
  return fds.some((fd) => {
    const target = targetOf(pid, Number(fd));
    return target !== null && pipes.includes(target);
  });
}

/** Of a FIFO that has been removed, the path that it had. */
function targetOf(pid: number, fd: number): string | null {
  try {
    return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // EACCES: another user's. ENOENT: it is not open, or the process has ended.
    return null;
  }
}

function newestPid(): number | null {
  try {
    const pid = Number(readText('/proc/loadavg').trim().split(' ').at(-1));
    return Number.isInteger(pid) ? pid : null;
  } catch {
    // A container may hide it.
    return null;
  }
}

function numbers(text: string): number[] {
  const all: number[] = [];
  for (const word of text.split(' ')) if (word !== '') all.push(Number(word));
  return all;
}

function isOutOfFiles(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

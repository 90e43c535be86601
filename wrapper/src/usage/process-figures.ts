/** What Linux knows of the resources that a process has used. Read from /proc: a read costs some 20 µs. */
import fs from 'node:fs';

/** What was used up to a moment: it only grows. */
export interface Amounts {
  readonly cpuMs: number;
  /** Read from and written to storage: what the page cache, pipes and sockets deliver doesn't count. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}

export const NOTHING_USED: Amounts = { cpuMs: 0, readBytes: 0, writtenBytes: 0 };

/** A process, with what it and the children that it has waited for have used. */
export interface ProcessFigures {
  readonly pid: number;
  readonly ppid: number;
  /** Tells it apart from another that had or will have its pid. */
  readonly startTime: string;
  readonly total: Amounts;
  /** How much of `total` may be of children: the kernel tells CPU time apart, and not what was read and written. */
  readonly ofChildren: Amounts;
  /** The memory that it occupies, pages that it shares with others included. */
  readonly residentBytes: number;
}

/** The unit of CPU times in /proc, on every architecture that Node runs on. */
const MS_PER_TICK = 10;
const KIB = 1_024;

/** Longer than any of the files that are read here. */
const buffer = Buffer.allocUnsafe(4_096);

/** Null when there is no such process any more. A zombie still has its figures. */
export function readFigures(pid: number): ProcessFigures | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // Another user's process doesn't show what it has read: its share is missing until its parent has waited for it.
  const moved = parseIo(readText(`/proc/${pid}/io`) ?? '');
  return parseFigures(stat, moved);
}

/** @param stat `pid (name) state ppid …`, where the name may hold anything */
export function parseFigures(stat: string, moved: Omit<Amounts, 'cpuMs'>): ProcessFigures | null {
  const pid = Number.parseInt(stat, 10);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const number = (index: number) => Number(fields[index]);
  const startTime = fields[19];
  if (!Number.isInteger(pid) || startTime === undefined) return null;
  const childrenMs = (number(13) + number(14)) * MS_PER_TICK;
  return {
    pid,
    ppid: number(1),
    startTime,
    total: { cpuMs: (number(11) + number(12)) * MS_PER_TICK + childrenMs, ...moved },
    ofChildren: { cpuMs: childrenMs, ...moved },
    residentBytes: number(21) * pageBytes(),
  };
}

let knownPageBytes: number | null = null;

/** From the size of our own address space, which is told in bytes and in pages. */
function pageBytes(): number {
  knownPageBytes ??= readPageBytes() ?? 4_096;
  return knownPageBytes;
}

function readPageBytes(): number | null {
  const bytes = kibibytesAfter(readText('/proc/self/status') ?? '', 'VmSize:');
  const pages = Number.parseInt(readText('/proc/self/statm') ?? '', 10);
  // It may have grown between the two.
  return bytes === null || !(pages > 0) ? null : 2 ** Math.round(Math.log2(bytes / pages));
}

/** @param io a `/proc/<pid>/io`, or nothing */
export function parseIo(io: string): Omit<Amounts, 'cpuMs'> {
  return { readBytes: numberAfter(io, 'read_bytes:') ?? 0, writtenBytes: numberAfter(io, '\nwrite_bytes:') ?? 0 };
}

/** The most memory that a process has ever occupied; null where that can't be read, as of a zombie. */
export function readPeakBytes(pid: number): number | null {
  return kibibytesAfter(readText(`/proc/${pid}/status`) ?? '', 'VmHWM:');
}

/**
 * The memory of a process where a page that n processes share counts as the n-th part of one; null where that can't be
 * read. The kernel goes through all pages of the process: so not on the thread that everything else runs on.
 */
export async function readProportionalBytes(pid: number): Promise<number | null> {
  const text = await fs.promises.readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '');
  return kibibytesAfter(text, '\nPss:');
}

/**
 * What the children that this process has waited for have used, and theirs. It is exact, however short they lived.
 *
 * The kernel adds what they have read and written to what this process did itself; that is what its threads did.
 */
export function readWaitedFor(): Amounts | null {
  const own = readFigures(process.pid);
  if (own === null) return null;
  const byThreads = sumOfThreads();
  return {
    cpuMs: own.ofChildren.cpuMs,
    readBytes: Math.max(0, own.total.readBytes - byThreads.readBytes),
    writtenBytes: Math.max(0, own.total.writtenBytes - byThreads.writtenBytes),
  };
}

function sumOfThreads(): Omit<Amounts, 'cpuMs'> {
  let [readBytes, writtenBytes] = [0, 0];
  for (const thread of fs.readdirSync('/proc/self/task')) {
    const moved = parseIo(readText(`/proc/self/task/${thread}/io`) ?? '');
    readBytes += moved.readBytes;
    writtenBytes += moved.writtenBytes;
  }
  return { readBytes, writtenBytes };
}

function kibibytesAfter(text: string, label: string): number | null {
  const number = numberAfter(text, label);
  return number === null ? null : number * KIB;
}

function numberAfter(text: string, label: string): number | null {
  const at = text.indexOf(label);
  return at === -1 ? null : Number.parseInt(text.slice(at + label.length), 10);
}

/** Null when there is no such file, or it may not be read. */
function readText(path: string): string | null {
  try {
    const file = fs.openSync(path, 'r');
    try {
      return buffer.toString('latin1', 0, fs.readSync(file, buffer, 0, buffer.length, 0));
    } finally {
      fs.closeSync(file);
    }
  } catch {
    // It has ended, it is another user's, or we are out of file descriptors: the next look may succeed.
    return null;
  }
}

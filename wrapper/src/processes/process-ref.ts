/** A process known for certain, even by someone who reads of it after a crash or a restart of the machine. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { hasCode } from '../host/error-code.ts';
import { type ProcessTable, processTable } from './process-table.ts';

/** Plain data, to be stored as JSON. */
export interface ProcessRef {
  readonly pid: number;
  /** As the process table tells it; means something only within the same boot. */
  readonly startTime: string;
  /** The boot of the machine that it belongs to. */
  readonly bootId: string;
  /** The PID namespace in which it has that pid; absent when it is not known. */
  readonly pidNamespace?: string | undefined;
}

/**
 * The process that has this pid now, even if it is dead and only not collected yet; null when there is none. Certain of
 * a child that we have just started, because its pid is not given to another before its exit is collected.
 */
export function refOf(pid: number, table: ProcessTable = processTable): ProcessRef | null {
  const entry = table.entry(pid);
  if (entry === null) return null;
  const namespace = pidNamespace();
  return {
    pid,
    startTime: entry.startTime,
    bootId: bootId(),
    ...(namespace === '' ? {} : { pidNamespace: namespace }),
  };
}

/** A process as part of a file name: whoever finds the file can check whether the process lives. */
export function formatProcessRef({ bootId, pid, startTime, pidNamespace }: ProcessRef): string {
  const parts = [bootId, String(pid), startTime, ...(pidNamespace === undefined ? [] : [pidNamespace])];
  return parts.map(encodeURIComponent).join('@');
}

/** The inverse; null when it is not such a name. */
export function parseProcessRef(text: string): ProcessRef | null {
  const [boot, pid, start, namespace, ...rest] = text.split('@');
  if (boot === undefined || start === undefined || rest.length > 0 || !/^[1-9]\d*$/.test(pid ?? '')) return null;
  try {
    const known = namespace === undefined ? {} : { pidNamespace: decodeURIComponent(namespace) };
    return { bootId: decodeURIComponent(boot), pid: Number(pid), startTime: decodeURIComponent(start), ...known };
  } catch {
    // URIError: not one of our names.
    return null;
  }
}

/** Whether the process lives. A zombie does not. One in another PID namespace can't be seen, and counts as alive. */
export function isRunning(ref: ProcessRef, table: ProcessTable = processTable): boolean {
  if (ref.bootId !== bootId()) return false;
  if (!isInOurNamespace(ref)) return true;
  const entry = table.entry(ref.pid);
  return entry?.isAlive === true && entry.startTime === ref.startTime;
}

/** Whether its pid means here what it means there. Where that is not known, there is only one namespace. */
export function isInOurNamespace({ pidNamespace: namespace = '' }: ProcessRef): boolean {
  return namespace === '' || pidNamespace() === '' || namespace === pidNamespace();
}

/**
 * Whether a signal could meet anybody there, zombies included: by the kernel's word, which also tells of processes that
 * the process table does not show us.
 *
 * @param target a pid, or the negative of a process group's id
 */
export function isAnybodyAt(target: number): boolean {
  try {
    process.kill(target, 0);
    return true;
  } catch (error) {
    // ESRCH: nobody. EPERM: somebody whom we may not signal.
    return hasCode(error, 'EPERM');
  }
}

let knownBootId: string | null = null;

/** What this boot of the machine is called; empty when the system does not tell. */
export function bootId(): string {
  knownBootId ??= readBootId();
  return knownBootId;
}

let knownNamespace: string | null = null;

/** The number of our PID namespace; empty where there are none, or it can't be known. */
function pidNamespace(): string {
  knownNamespace ??= readNamespace();
  return knownNamespace;
}

function readNamespace(): string {
  try {
    return /\d+/.exec(fs.readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
  } catch {
    // Not on Linux, or hidden.
    return '';
  }
}

function readBootId(): string {
  if (process.platform !== 'linux') {
    // The time of the boot is worked out from the clock, and moves when the clock is set: the second choice.
    return sysctl('kern.bootsessionuuid') || (/\bsec = (\d+)/.exec(sysctl('kern.boottime'))?.[1] ?? '');
  }
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    // Some containers hide it; processes are then told apart by pid and start time alone.
    return '';
  }
}

const TIME_LIMIT_MS = 2_000;

function sysctl(name: string): string {
  try {
    return execFileSync('sysctl', ['-n', name], {
      encoding: 'utf8',
      timeout: TIME_LIMIT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    }).trim();
  } catch {
    // This system has no such setting, or no such program.
    return '';
  }
}

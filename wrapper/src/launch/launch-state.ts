/** The process state before Node changed it, with which the command is to be started. */
import fs from 'node:fs';
import { fromBytes, isLossy, lossy } from '../host/undecodable-bytes.ts';
import { HIDDEN_PREFIX, restoreHidden } from './hidden-variables.ts';

/** The variable in which the launcher (launcher-header.ts) passes its notes. */
const LAUNCH_VARIABLE = 'LEASH_LAUNCH';

export interface LaunchState {
  /** The soft limit of open files; null when it is not known. */
  readonly noFileSoft: number | 'unlimited' | null;
  /** The soft limit of the stack in KiB, if the launcher has raised it: it bounds arguments and environment, too. */
  readonly stackSoft: number | null;
  /** Numbers of the signals that were ignored, of those that Node resets. */
  readonly ignoredSignals: readonly number[];
  /** The environment, without the launcher's own variable. */
  readonly environment: Readonly<Record<string, string>>;
  /** Descriptors beyond stderr that were open, such as the lock in `flock -n 9 … 9>lock`. */
  readonly descriptors: readonly number[];
}

/**
 * Reads the launcher's notes, and removes them from `env`, so that no process that we start sees them.
 *
 * Without a launcher (`node leash.cjs`) the limit is taken from the parent process, and no signal is known to have been
 * ignored.
 */
export function extractLaunchState(env: NodeJS.ProcessEnv): LaunchState {
  const record = env[LAUNCH_VARIABLE];
  delete env[LAUNCH_VARIABLE];
  const state = parseLaunchRecord(record ?? '', process.pid);
  const environment = state.environment ?? restoreHidden(ownEnvironment(env));
  for (const name of Object.keys(env)) if (name.startsWith(HIDDEN_PREFIX)) delete env[name];
  return {
    noFileSoft: state.noFileSoft ?? parentNoFileSoft(),
    stackSoft: state.stackSoft,
    ignoredSignals: state.ignoredSignals,
    environment,
    descriptors: state.descriptors,
  };
}

export interface LaunchRecord extends Omit<LaunchState, 'environment'> {
  /** null when it was not noted: it was too large, or there is no /proc. */
  readonly environment: Readonly<Record<string, string>> | null;
}

const NOTHING_NOTED: LaunchRecord = {
  noFileSoft: null,
  stackSoft: null,
  ignoredSignals: [],
  environment: null,
  descriptors: [],
};

/**
 * Reads a launcher's notes. Whatever is missing or malformed counts as not noted.
 *
 * @param pid of this process: the launcher became it, so notes with another pid are not ours
 */
export function parseLaunchRecord(text: string, pid: number): LaunchRecord {
  const [, notedPid = '', descriptors = ''] = /^pid=(\d+) fds=((?:\d+,)*) /.exec(text) ?? [];
  if (Number(notedPid) !== pid) return NOTHING_NOTED;
  const [facts = '', environment] = text.split('environ=', 2);
  return {
    noFileSoft: parseLimit(/nofile=(\w+)/.exec(facts)?.[1]),
    stackSoft: Number(/^stack=(\d+)$/m.exec(facts)?.[1] ?? 0) || null,
    ignoredSignals: signalsOfMask(/sigign=([0-9a-f]{1,16})$/m.exec(facts)?.[1]),
    environment: environment === undefined ? null : parseNotedEnvironment(environment.replace(/\s+/g, '')),
    descriptors: descriptors.split(',').filter(Boolean).map(Number).filter(isOpen),
  };
}

function parseLimit(text: string | undefined): LaunchState['noFileSoft'] {
  if (text === 'unlimited') return text;
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** Node resets the classic signals only: real-time signals stay ignored by themselves. */
const LAST_CLASSIC_SIGNAL = 31;

function signalsOfMask(hex: string | undefined): number[] {
  const mask = BigInt(`0x${hex ?? '0'}`);
  const signals: number[] = [];
  for (let signal = 1; signal <= LAST_CLASSIC_SIGNAL; signal += 1) {
    if ((mask >> BigInt(signal - 1)) & 1n) signals.push(signal);
  }
  return signals;
}

/** @returns null for text that is not hexadecimal, or empty: then the environment could not be noted */
function parseNotedEnvironment(hex: string): Record<string, string> | null {
  return hex === '' || !/^[0-9a-f]+$/.test(hex) ? null : parseEnvironment(Buffer.from(hex, 'hex'));
}

/** Reads `NAME=value` strings that each end with a NUL. */
function parseEnvironment(block: Buffer): Record<string, string> {
  // No prototype: a variable may have any name.
  const environment: Record<string, string> = Object.create(null);
  for (const entry of fromBytes(block).split('\0')) {
    const equals = entry.indexOf('=');
    if (equals <= 0) continue;
    const name = entry.slice(0, equals);
    // Of several with one name, getenv() finds the first.
    if (name !== LAUNCH_VARIABLE) environment[name] ??= entry.slice(equals + 1);
  }
  return environment;
}

/** The environment from Node or, if that isn't complete, from the kernel. */
function ownEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const environment: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined) environment[name] = value;
  }
  // Node lists a name that is not UTF-8, but without its value.
  const isComplete = !Object.getOwnPropertyNames(env).some((name) => isLossy(name) || isLossy(env[name] ?? ''));
  if (isComplete) return environment;
  try {
    const initial = parseEnvironment(fs.readFileSync('/proc/self/environ'));
    // Variables that we have removed stay removed.
    return Object.fromEntries(Object.entries(initial).filter(([name]) => isLossy(lossy(name)) || name in environment));
  } catch {
    // No /proc.
    return environment;
  }
}

function isOpen(fd: number): boolean {
  try {
    fs.fstatSync(fd);
    return true;
  } catch {
    // EBADF: closed in between.
    return false;
  }
}

function parentNoFileSoft(): LaunchState['noFileSoft'] {
  try {
    const limits = fs.readFileSync(`/proc/${process.ppid}/limits`, 'latin1');
    return parseLimit(/^Max open files +(\w+)/m.exec(limits)?.[1]);
  } catch {
    // Not on Linux, or the parent is another user's.
    return null;
  }
}

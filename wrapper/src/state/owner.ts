/**
 * Who owns a directory: the *name* of a file in it says so. Ownership changes by a rename, which the file system lets
 * succeed for exactly one of many.
 *
 * Across PID namespaces an owner shows by a life sign that it is alive: a FIFO in its directory that it holds open for
 * reading. The kernel closes it with the process, and to open it for writing then fails with ENXIO, from wherever that is
 * tried. Only owners outside of the machine's first namespace make one: processes that share the directory may not see
 * them.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../host/error-code.ts';
import { formatProcessRef, isRunning, type ProcessRef, parseProcessRef, refOf } from '../processes/process-ref.ts';

const OWNER = 'owner@';
const NOBODY = `${OWNER}nobody`;
const LIFE_SIGN = 'alive@';
/** The machine's first PID namespace has the same number everywhere (PROC_PID_INIT_INO). */
const FIRST_NAMESPACE = '4026531836';

const open = promisify(fs.open);
const close = promisify(fs.close);

/** How processes are recognised; tests have another one. */
export interface Processes {
  /** This process. */
  readonly self: ProcessRef;
  isRunning(ref: ProcessRef): boolean;
}

/** @returns null when this process can't be distinguished from others: then it can own nothing */
export function ownProcess(): Processes | null {
  const self = refOf(process.pid);
  return self === null ? null : { self, isRunning: mayBeRunning };
}

function mayBeRunning(ref: ProcessRef): boolean {
  try {
    return isRunning(ref);
  } catch {
    // It can't be checked, for want of file descriptors perhaps: not known to have ended.
    return true;
  }
}

/** Who owns a directory, as far as can be seen: it may change at any time. */
export type Owner =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'process'; readonly process: ProcessRef }
  /** It is just changing hands, or isn't a directory of this kind. */
  | { readonly kind: 'unclear' };

/**
 * Makes us the owner of a directory that nobody else knows yet. Throws what the file system says.
 *
 * @param directory the path to which `made` will be renamed
 */
export async function createOwned(made: string, { self }: Processes, directory: string): Promise<void> {
  await writeFile(path.join(made, ownerName(self)), '', { flag: 'wx', mode: 0o600 });
  await openLifeSign(made, self, directory);
}

/** Marks a directory that nobody else knows yet as free. Throws what the file system says. */
export async function createFree(directory: string): Promise<void> {
  await writeFile(path.join(directory, NOBODY), '', { flag: 'wx', mode: 0o600 });
}

/** Throws when the directory can't be read. */
export async function readOwner(directory: string): Promise<Owner> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(OWNER));
  const [name] = names;
  // While a name changes, a listing of the directory may show both names or none.
  if (name === undefined || names.length > 1) return { kind: 'unclear' };
  if (name === NOBODY) return { kind: 'nobody' };
  const process = parseProcessRef(name.slice(OWNER.length));
  return process === null ? { kind: 'unclear' } : { kind: 'process', process };
}

/** Whether a directory could be acquired: its owner is dead, or it has none. */
export async function isFree(directory: string, owner: Owner, processes: Processes): Promise<boolean> {
  switch (owner.kind) {
    case 'nobody':
      return true;
    case 'process':
      // The life sign comes first: in another PID namespace nothing else can be known.
      return !((await checkLifeSign(directory, owner.process)) ?? processes.isRunning(owner.process));
    case 'unclear':
      return false;
  }
}

/** Makes us the owner, unless the present one is alive or another process is faster. Never fails. */
export async function acquireOwnership(directory: string, processes: Processes): Promise<boolean> {
  try {
    const owner = await readOwner(directory);
    if (!(await isFree(directory, owner, processes))) return false;
    const name = owner.kind === 'process' ? ownerName(owner.process) : NOBODY;
    // Before it is ours: whoever sees our name there must not take us for dead.
    await openLifeSign(directory, processes.self);
    // A name is never used again once it has been changed: whoever finds it still there is the first.
    await rename(path.join(directory, name), path.join(directory, ownerName(processes.self)));
    if (owner.kind === 'process') await rm(lifeSignOf(directory, owner.process), { force: true }).catch(() => {});
    return true;
  } catch {
    // ENOENT: another was faster, or the directory is gone. Anything else: it can't be ours either.
    await closeLifeSign(directory, processes.self);
    return false;
  }
}

/** Makes a directory free. Never fails: a process that dies has released it, too. */
export async function releaseOwnership(directory: string, { self }: Processes): Promise<void> {
  await rename(path.join(directory, ownerName(self)), path.join(directory, NOBODY)).catch(() => {});
  await closeLifeSign(directory, self);
}

function ownerName(process: ProcessRef): string {
  return OWNER + formatProcessRef(process);
}

/** The life signs that this process holds open, by the path of their directory. */
const lifeSigns = new Map<string, number>();

/**
 * Never fails: without a life sign, others take us to be alive for as long as they can't know.
 *
 * @param directory the path to which `made` will be renamed
 */
async function openLifeSign(made: string, self: ProcessRef, directory = made): Promise<void> {
  if (self.pidNamespace === undefined || self.pidNamespace === FIRST_NAMESPACE || lifeSigns.has(directory)) return;
  const file = lifeSignOf(made, self);
  try {
    // By its name alone: everyone on the machine can read arguments, and the directory may be named after the run.
    await promisify(execFile)('mkfifo', ['-m', '600', path.basename(file)], { cwd: made });
  } catch {
    // There is no such program, or no FIFO on this file system.
    return;
  }
  try {
    lifeSigns.set(directory, await open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK));
  } catch {
    // Too many open files. A FIFO that nobody holds open would be a sign of death.
    await rm(file, { force: true }).catch(() => {});
  }
}

/** Never fails. */
export async function closeLifeSign(directory: string, self: ProcessRef): Promise<void> {
  const fd = lifeSigns.get(directory);
  if (fd === undefined) return;
  lifeSigns.delete(directory);
  await close(fd).catch(() => {});
  await rm(lifeSignOf(directory, self), { force: true }).catch(() => {});
}

/** Whether `owner` shows in its directory that it is alive; null when it shows neither that nor its death. */
async function checkLifeSign(directory: string, owner: ProcessRef): Promise<boolean | null> {
  try {
    await close(await open(lifeSignOf(directory, owner), fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
    return true;
  } catch (error) {
    return hasCode(error, 'ENXIO') ? false : null;
  }
}

function lifeSignOf(directory: string, owner: ProcessRef): string {
  return path.join(directory, LIFE_SIGN + formatProcessRef(owner));
}

/**
 * Whose a directory is: told by the *name* of a file in it, so that it changes hands by a rename, which the file system
 * lets succeed for exactly one of many.
 */
import { readdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isRunning, type ProcessRef, refOf } from '../processes/process-ref.ts';
import { hideLife, removeSign, showLife, showsLife } from './life-sign.ts';
import { parseProcess, processName } from './process-name.ts';

const PREFIX = 'owner@';
const NOBODY = `${PREFIX}nobody`;

/** How to know processes; another one for tests. */
export interface Processes {
  /** This process. */
  readonly self: ProcessRef;
  isRunning(ref: ProcessRef): boolean;
}

/** @returns null when this process can't be told from others: then it can own nothing */
export function ownProcess(): Processes | null {
  const self = refOf(process.pid);
  return self === null ? null : { self, isRunning: mayBeRunning };
}

function mayBeRunning(ref: ProcessRef): boolean {
  try {
    return isRunning(ref);
  } catch {
    // It can't be looked at, for want of file descriptors perhaps: not known to have ended.
    return true;
  }
}

/** Who a directory belongs to, as far as can be seen: it may change at any time. */
export type Owner =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'process'; readonly process: ProcessRef }
  /** It is just changing hands, or is no directory of this kind. */
  | { readonly kind: 'unclear' };

/**
 * Marks a directory that nobody else knows of yet as ours. Throws what the file system says.
 *
 * @param directory what `made` is going to be called
 */
export async function beginAsOwner(made: string, { self }: Processes, directory: string): Promise<void> {
  await writeFile(path.join(made, ownerName(self)), '', { flag: 'wx', mode: 0o600 });
  await showLife(made, self, directory);
}

/** Marks a directory that nobody else knows of yet as free. Throws what the file system says. */
export async function beginAsNobodys(directory: string): Promise<void> {
  await writeFile(path.join(directory, NOBODY), '', { flag: 'wx', mode: 0o600 });
}

/** Throws when the directory can't be read. */
export async function readOwner(directory: string): Promise<Owner> {
  const names = (await readdir(directory)).filter(isOwnerName);
  const [name] = names;
  // A look at a directory while a name changes in it may show both names or none.
  if (name === undefined || names.length > 1) return { kind: 'unclear' };
  if (name === NOBODY) return { kind: 'nobody' };
  const process = parseProcess(name.slice(PREFIX.length));
  return process === null ? { kind: 'unclear' } : { kind: 'process', process };
}

/** Whether a directory could be taken: its owner is dead, or it has none. */
export async function isFree(directory: string, owner: Owner, processes: Processes): Promise<boolean> {
  switch (owner.kind) {
    case 'nobody':
      return true;
    case 'process':
      // What the owner shows itself comes first: in another PID namespace nothing else can be known.
      return !((await showsLife(directory, owner.process)) ?? processes.isRunning(owner.process));
    case 'unclear':
      return false;
  }
}

/** Takes a directory, unless it belongs to a process that lives or another takes it first. Never fails. */
export async function take(directory: string, processes: Processes): Promise<boolean> {
  try {
    const owner = await readOwner(directory);
    if (!(await isFree(directory, owner, processes))) return false;
    const name = owner.kind === 'process' ? ownerName(owner.process) : NOBODY;
    // Before it is ours: whoever sees our name there must not take us for dead.
    await showLife(directory, processes.self);
    // The name that was seen is never used again once it has been changed: whoever finds it still there is the first.
    await rename(path.join(directory, name), path.join(directory, ownerName(processes.self)));
    if (owner.kind === 'process') await removeSign(directory, owner.process);
    return true;
  } catch {
    // ENOENT: another was faster, or the directory is gone. Anything else: it can't be ours either.
    await hideLife(directory, processes.self);
    return false;
  }
}

/** Gives a directory back. Never fails: who dies has given it back too. */
export async function giveBack(directory: string, { self }: Processes): Promise<void> {
  await rename(path.join(directory, ownerName(self)), path.join(directory, NOBODY)).catch(() => {});
  await hideLife(directory, self);
}

/** Whether a file of this name only says whose the directory is. */
export function isOwnerName(name: string): boolean {
  return name.startsWith(PREFIX);
}

function ownerName(process: ProcessRef): string {
  return PREFIX + processName(process);
}

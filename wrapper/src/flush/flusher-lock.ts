/** One flusher at a time, for each state directory and credential. */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { ControlPlane } from '../config/control-plane.ts';
import { stateRoots } from '../state/fallback-directory.ts';
import { transientPath } from '../state/files.ts';
import { acquireOwnership, createFree, isFree, type Processes, readOwner, releaseOwnership } from '../state/owner.ts';

export interface FlusherLock {
  /** A process that dies has released it, too. */
  release(): Promise<void>;
}

/**
 * @param key stands for the credential: two with the same key exclude each other. It is not stored.
 * @returns null when another process has the lock, or the lock can't be created
 */
export async function acquireFlusherLock(
  stateDirectory: string,
  key: string,
  processes: Processes,
): Promise<FlusherLock | null> {
  // Where the disk can't be written, the lock is in memory, and so may unsent runs be.
  for (const root of (await stateRoots(stateDirectory)).reverse()) {
    const directory = lockPath(root, key);
    const taken =
      (await acquireOwnership(directory, processes)) ||
      ((await create(directory, processes)) && (await acquireOwnership(directory, processes)));
    if (taken) return { release: () => releaseOwnership(directory, processes) };
    if (await isRunningIn(root, key, processes)) return null;
  }
  return null;
}

/** Whether a running process has the lock. It only looks: acquiring the lock would keep others from it meanwhile. */
export async function isFlusherRunning(stateDirectory: string, key: string, processes: Processes): Promise<boolean> {
  for (const root of await stateRoots(stateDirectory)) if (await isRunningIn(root, key, processes)) return true;
  return false;
}

async function isRunningIn(root: string, key: string, processes: Processes): Promise<boolean> {
  try {
    const directory = lockPath(root, key);
    const owner = await readOwner(directory);
    return owner.kind === 'process' && !(await isFree(directory, owner, processes));
  } catch {
    // ENOENT: it was never created.
    return false;
  }
}

function lockPath(stateDirectory: string, key: string): string {
  return path.join(stateDirectory, `flusher-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`);
}

/** @returns whether it was not there before */
async function create(directory: string, processes: Processes): Promise<boolean> {
  const aside = transientPath(path.dirname(directory), processes.self);
  try {
    await fs.mkdir(aside, { mode: 0o700 });
    await createFree(aside);
    // Fails when it exists, since it is never empty.
    await fs.rename(aside, directory);
    return true;
  } catch {
    // ENOTEMPTY or EEXIST: it exists. Anything else: it can't be created.
    await fs.rm(aside, { recursive: true, force: true }).catch(() => {});
    return false;
  }
}

/** The key of a flusher's lock: control plane and credential. */
export function flusherKey({ baseUrl, token }: ControlPlane): string {
  const credential = token.kind === 'file' ? `file ${token.path}` : `token ${token.token}`;
  return `${baseUrl}\n${credential}`;
}

/**
 * A state directory in memory, for ends of runs that can't be written to the state directory. A restart of the machine
 * loses it. It belongs to one state directory and is never removed: otherwise another user could create one of the same
 * name just when a process is about to use it.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { isMemoryFree, MEMORY } from '../host/memory-directory.ts';
import { pathOwners } from '../host/path-owners.ts';
import { listNames } from './files.ts';

const PREFIX = 'leash-state-';
/** What mkdtemp appends. */
const SUFFIX_LENGTH = 6;

/** The fallback directories of a state directory, or of which it is one: at most one, unless two runs created it at once. */
export async function fallbackDirectories(stateDirectory: string): Promise<string[]> {
  const prefix = fallbackPrefix(stateDirectory);
  const found: string[] = [];
  for (const name of (await listNames(MEMORY)).sort()) {
    if (!name.startsWith(prefix)) continue;
    const directory = path.join(MEMORY, name);
    const owners = await pathOwners(directory).catch(() => null);
    if (owners?.kind === 'ours') found.push(directory);
  }
  return found;
}

/** All directories that may hold runs of a state directory. The first that has a run is the one that counts. */
export async function stateRoots(stateDirectory: string): Promise<string[]> {
  const fallback = await fallbackDirectories(stateDirectory);
  return isFallback(stateDirectory) ? fallback : [...fallback, stateDirectory];
}

/** Creates one, unless it exists. Null where there is no memory for it. Never fails. */
export async function createFallbackDirectory(stateDirectory: string): Promise<string | null> {
  try {
    if (!isMemoryFree() || (await pathOwners(MEMORY)).kind !== 'ours') return null;
    const [found] = await fallbackDirectories(stateDirectory);
    return found ?? (await fs.mkdtemp(path.join(MEMORY, fallbackPrefix(stateDirectory))));
  } catch {
    // No such file system, or one that can't be written to.
    return null;
  }
}

export function isFallback(directory: string): boolean {
  return directory.startsWith(path.join(MEMORY, PREFIX));
}

/** How the names of a state directory's fallback directories begin. */
export function fallbackPrefix(stateDirectory: string): string {
  if (isFallback(stateDirectory)) return path.basename(stateDirectory).slice(0, -SUFFIX_LENGTH);
  const owner = `${process.getuid?.() ?? ''} ${stateDirectory}`;
  return `${PREFIX}${createHash('sha256').update(owner).digest('hex').slice(0, 16)}-`;
}

/**
 * Where the end of a run is kept that its state directory does not take: a state directory in memory, whose runs a restart
 * of the machine loses. It belongs to the one that it stands in for. Once made it stays, nearly empty: were it removed,
 * another user could put one of the same name in its place while somebody is about to use it.
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

/** Those that stand in for a state directory, or for which one of them does: one, unless two runs have made it at once. */
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

/** All places where runs of a state directory may have left something. The first that has a run counts for it. */
export async function stateRoots(stateDirectory: string): Promise<string[]> {
  const fallback = await fallbackDirectories(stateDirectory);
  return isFallback(stateDirectory) ? fallback : [...fallback, stateDirectory];
}

/** Makes one, unless there is one. Null where there is no memory for it. Never fails. */
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

/** What the names of those begin with that stand in for a state directory. */
export function fallbackPrefix(stateDirectory: string): string {
  if (isFallback(stateDirectory)) return path.basename(stateDirectory).slice(0, -SUFFIX_LENGTH);
  const owner = `${process.getuid?.() ?? ''} ${stateDirectory}`;
  return `${PREFIX}${createHash('sha256').update(owner).digest('hex').slice(0, 16)}-`;
}

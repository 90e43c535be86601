/** This user's state directory on this machine: where it is, whether it is safe, and who uses it. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Environment } from '../config/config-file.ts';
import { pathOwners } from '../host/path-owners.ts';
import { describeError } from '../logging/log.ts';
import { createFallbackDirectory, fallbackDirectories } from './fallback-directory.ts';
import { makeDirectory } from './files.ts';
import { ownProcess, type Processes } from './owner.ts';

export interface State {
  readonly kind: 'usable';
  readonly directory: string;
  readonly processes: Processes;
}

interface Unusable {
  readonly kind: 'unusable';
  readonly why: string;
}

/** Never fails. */
export async function openState(settings: Environment): Promise<State | Unusable> {
  const opened = await openStateDirectory(settings, localUser());
  if (opened.kind === 'unusable') return opened;
  return stateIn(opened.path) ?? unusable('this process cannot be distinguished from others');
}

/**
 * Opens the state directory or, where it can't be used, the one in memory that stands in for it: runs may have left
 * something there. Never fails.
 */
export async function openStateOrFallback(settings: Environment): Promise<State | Unusable> {
  const opened = await openState(settings);
  if (opened.kind === 'usable') return opened;
  const [directory] = await fallbackDirectories(await plannedPath(settings));
  return directory === undefined ? opened : (stateIn(directory) ?? opened);
}

/** One in memory, for what the state directory can't store; null where there is none. Never fails. */
export async function openFallbackState(settings: Environment): Promise<State | null> {
  const opened = await openState(settings);
  const stateDirectory = opened.kind === 'usable' ? opened.directory : await plannedPath(settings);
  const directory = await createFallbackDirectory(stateDirectory);
  return directory === null ? null : stateIn(directory);
}

function stateIn(directory: string): State | null {
  const processes = ownProcess();
  return processes === null ? null : { kind: 'usable', directory, processes };
}

export interface LocalUser {
  /** Null where there are no users. */
  readonly uid: number | null;
  /** Null when it is not known. */
  readonly home: string | null;
  readonly hostname: string;
}

/**
 * Makes sure that there is a state directory of our own: nobody else may write to it, or replace it. Other users could
 * otherwise have us delete or overwrite files of their choice. Never fails.
 */
export async function openStateDirectory(
  env: Environment,
  user: LocalUser,
): Promise<{ readonly kind: 'usable'; readonly path: string } | Unusable> {
  const chosen = stateDirectoryPath(env, user);
  if (chosen === null) return unusable('this user has no home directory; set LEASH_STATE_DIR');
  if (!path.isAbsolute(chosen)) return unusable(`LEASH_STATE_DIR must be an absolute path, not ${chosen}`);
  try {
    const before = await pathOwners(chosen, user.uid);
    if (before.kind === 'shared') return unusable(before.why);
    await makeDirectory(chosen);
    const after = before.kind === 'ours' ? before : await pathOwners(chosen, user.uid);
    return after.kind === 'shared' ? unusable(after.why) : await checkDirectory(chosen, user.uid);
  } catch (error) {
    // Whatever a file system may say: no rights, no room, something else of that name.
    const isDefault = !env.LEASH_STATE_DIR;
    const todo = isDefault ? '; set LEASH_STATE_DIR to a directory that belongs to this user' : '';
    return unusable(`${chosen}: ${describeError(error)}${todo}`);
  }
}

/** Whether or not it exists. A home may be shared by machines, whose processes can't be told apart. */
export function stateDirectoryPath(env: Environment, { uid, home, hostname }: LocalUser): string | null {
  if (env.LEASH_STATE_DIR) return env.LEASH_STATE_DIR;
  if (uid === 0) return '/var/lib/leash';
  const base = env.XDG_STATE_HOME || (home === null ? null : path.join(home, '.local', 'state'));
  return base === null ? null : path.join(base, 'leash', hostname.replace(/[^A-Za-z0-9._-]+/g, '-') || 'unknown');
}

async function checkDirectory(chosen: string, uid: number | null): ReturnType<typeof openStateDirectory> {
  const real = await fs.realpath(chosen);
  const directory = await fs.stat(real);
  if (!directory.isDirectory()) return unusable(`${chosen} is not a directory`);
  if (uid !== null && directory.uid !== uid)
    return unusable(`${chosen} belongs to another user (uid ${directory.uid})`);
  if ((directory.mode & 0o022) !== 0) return unusable(`other users can write to ${chosen}; run chmod 700 on it`);
  return { kind: 'usable', path: real };
}

function unusable(why: string): Unusable {
  return { kind: 'unusable', why };
}

/** The path of a state directory that can't be used now, as it will be once it can. */
async function plannedPath(settings: Environment): Promise<string> {
  const chosen = stateDirectoryPath(settings, localUser()) ?? '';
  return path.isAbsolute(chosen) ? resolveExisting(chosen) : chosen;
}

/** Resolves links in the part of a path that exists. */
async function resolveExisting(file: string): Promise<string> {
  try {
    return await fs.realpath(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(await resolveExisting(parent), path.basename(file));
  }
}

function localUser(): LocalUser {
  return { uid: process.getuid?.() ?? null, home: homeDirectory(), hostname: os.hostname() };
}

function homeDirectory(): string | null {
  try {
    return os.homedir() || null;
  } catch {
    // A user that the system doesn't know, without $HOME.
    return null;
  }
}

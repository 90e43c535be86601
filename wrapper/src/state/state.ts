/** This user's state directory on this machine, and ourselves as one who may own things in it. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Environment } from '../config/config-file.ts';
import { fallbackDirectories, makeFallbackDirectory } from './fallback-directory.ts';
import { ownProcess, type Processes } from './owner.ts';
import { openStateDirectory, stateDirectoryPath, type Whereabouts } from './state-directory.ts';

export interface State {
  readonly kind: 'usable';
  readonly directory: string;
  readonly processes: Processes;
}

/** Never fails. */
export async function openState(
  settings: Environment,
): Promise<State | { readonly kind: 'unusable'; readonly why: string }> {
  const opened = await openStateDirectory(settings, whereabouts());
  if (opened.kind === 'unusable') return opened;
  const processes = ownProcess();
  if (processes === null) return { kind: 'unusable', why: 'this process can not be told from others' };
  return { kind: 'usable', directory: opened.path, processes };
}

/**
 * The same for who looks for what runs have left: that may be in memory, where the state directory is of no use. Never
 * fails.
 */
export async function openLeftState(settings: Environment): ReturnType<typeof openState> {
  const opened = await openState(settings);
  if (opened.kind === 'usable') return opened;
  const [directory] = await fallbackDirectories(await plannedPath(settings));
  return directory === undefined ? opened : asState(directory, opened);
}

/** One in memory, for what the state directory does not take; null where there is none. Never fails. */
export async function openFallbackState(settings: Environment): Promise<State | null> {
  const opened = await openState(settings);
  const stateDirectory = opened.kind === 'usable' ? opened.directory : await plannedPath(settings);
  const directory = await makeFallbackDirectory(stateDirectory);
  return directory === null ? null : asState(directory, null);
}

function asState<Otherwise>(directory: string, otherwise: Otherwise): State | Otherwise {
  const processes = ownProcess();
  return processes === null ? otherwise : { kind: 'usable', directory, processes };
}

/** Where a state directory would be that can't be used now, as it is called when it can be. */
async function plannedPath(settings: Environment): Promise<string> {
  const chosen = stateDirectoryPath(settings, whereabouts()) ?? '';
  return path.isAbsolute(chosen) ? resolved(chosen) : chosen;
}

/** As far as it is there. */
async function resolved(file: string): Promise<string> {
  try {
    return await fs.realpath(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(await resolved(parent), path.basename(file));
  }
}

function whereabouts(): Whereabouts {
  return { uid: process.getuid?.() ?? null, home: home(), hostname: os.hostname() };
}

function home(): string | null {
  try {
    return os.homedir() || null;
  } catch {
    // A user that the system doesn't know, without $HOME.
    return null;
  }
}

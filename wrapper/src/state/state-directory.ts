/** Where what outlives a run is kept, and whether it is safe there. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { pathOwners } from '../host/path-owners.ts';
import { describeError } from '../logging/log.ts';
import { makeDirectory } from './files.ts';

/** Who asks. */
export interface Whereabouts {
  /** Null where there are no users. */
  readonly uid: number | null;
  /** Null when nobody knows. */
  readonly home: string | null;
  readonly hostname: string;
}

export type StateDirectory =
  | { readonly kind: 'usable'; readonly path: string }
  | { readonly kind: 'unusable'; readonly why: string };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Makes sure that there is a state directory of our own: nobody else may write to it, or put another in its place. Other
 * users could otherwise have us delete or overwrite files of theirs to choose. Never fails.
 */
export async function openStateDirectory(env: Environment, whereabouts: Whereabouts): Promise<StateDirectory> {
  const chosen = stateDirectoryPath(env, whereabouts);
  if (chosen === null) return unusable('there is no home directory; set LEASH_STATE_DIR');
  if (!path.isAbsolute(chosen)) return unusable(`LEASH_STATE_DIR must be an absolute path, not ${chosen}`);
  try {
    const { uid } = whereabouts;
    const before = await pathOwners(chosen, uid);
    if (before.kind === 'shared') return unusable(before.why);
    await makeDirectory(chosen);
    const after = before.kind === 'ours' ? before : await pathOwners(chosen, uid);
    return after.kind === 'shared' ? unusable(after.why) : await examine(chosen, uid);
  } catch (error) {
    // Whatever a file system may say: no rights, no room, something else of that name.
    const isDefault = nonEmpty(env.LEASH_STATE_DIR) === null;
    const todo = isDefault ? '; set LEASH_STATE_DIR to a directory that belongs to this user' : '';
    return unusable(`${chosen}: ${describeError(error)}${todo}`);
  }
}

/** Without looking whether it is there. A home may be shared by machines, whose processes can't be told apart. */
export function stateDirectoryPath(env: Environment, { uid, home, hostname }: Whereabouts): string | null {
  const set = nonEmpty(env.LEASH_STATE_DIR);
  if (set !== null) return set;
  if (uid === 0) return '/var/lib/leash';
  const base = nonEmpty(env.XDG_STATE_HOME) ?? (home === null ? null : path.join(home, '.local', 'state'));
  return base === null ? null : path.join(base, 'leash', hostname.replace(/[^A-Za-z0-9._-]+/g, '-') || 'unknown');
}

async function examine(chosen: string, uid: number | null): Promise<StateDirectory> {
  const real = await fs.realpath(chosen);
  const directory = await fs.stat(real);
  if (!directory.isDirectory()) return unusable(`${chosen} is not a directory`);
  if (uid !== null && directory.uid !== uid)
    return unusable(`${chosen} belongs to another user (uid ${directory.uid})`);
  if ((directory.mode & 0o022) !== 0) return unusable(`others may write to ${chosen}; chmod 700 it`);
  return { kind: 'usable', path: real };
}

function unusable(why: string): StateDirectory {
  return { kind: 'unusable', why };
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

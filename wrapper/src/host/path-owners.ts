/** Checks whether another user could replace a file or directory of ours. */
import type { Stats } from 'node:fs';
import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from './error-code.ts';

export type PathOwners =
  /** Only we and the machine's owner can change where it leads or what it is. */
  | { readonly kind: 'ours' }
  /** The path doesn't exist; what exists of it is ours. */
  | { readonly kind: 'missing' }
  /** For a person: who else can change it, and where. */
  | { readonly kind: 'shared'; readonly why: string };

/** What exists at a path. */
export type PathEntry = Pick<Stats, 'uid' | 'gid' | 'mode'> & {
  /** Where it leads, if it is a symbolic link. */
  readonly target: string | null;
};

/** As many as the kernel follows. */
const MAX_LINKS = 40;

/**
 * Checks each directory and symbolic link on the way: another user who owns one, or may write to it, can make it lead
 * elsewhere. In a sticky directory (/tmp) users can't replace what belongs to others.
 *
 * Does not follow a link in /proc: its target has no path.
 *
 * @param absolute a path
 * @param uid ours; null where there are no users
 * @throws what the file system says, but for ENOENT
 */
export async function pathOwners(absolute: string, uid = ownUid()): Promise<PathOwners> {
  const walk = walkTo(absolute, uid);
  for (let step = walk.next(); ; ) {
    if (step.done) return step.value;
    step = walk.next(await readEntry(step.value));
  }
}

/** The same, synchronous, for what is read before the command is started. */
export function pathOwnersSync(absolute: string, uid = ownUid()): PathOwners {
  const walk = walkTo(absolute, uid);
  for (let step = walk.next(); ; ) {
    if (step.done) return step.value;
    step = walk.next(readEntrySync(step.value));
  }
}

function ownUid(): number | null {
  return process.getuid?.() ?? null;
}

/** Yields each path to look at, in order. */
export function* walkTo(absolute: string, uid: number | null): Generator<string, PathOwners, PathEntry | null> {
  if (uid === null) return { kind: 'ours' };
  const root = yield '/';
  // The owner of / controls everything below it. (In a user namespace that is the number of `nobody`.)
  const trusted = [0, uid, root?.uid ?? 0];
  const rest = namesIn(absolute);
  let links = 0;
  let at = '/';
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = path.join(at, name);
    const look: PathEntry | null = yield next;
    if (look === null) return { kind: 'missing' };
    const why = whyShared(next, look, uid, trusted);
    if (why !== null) return { kind: 'shared', why };
    if (look.target === null) {
      at = next;
      continue;
    }
    if (next.startsWith('/proc/')) return { kind: 'ours' };
    links += 1;
    if (links > MAX_LINKS) return { kind: 'shared', why: `too many symbolic links at ${next}` };
    if (look.target.startsWith('/')) at = '/';
    rest.unshift(...namesIn(look.target));
  }
  return { kind: 'ours' };
}

/** Why another user, who owns it or may write to it, could replace it; null when only we can. */
function whyShared(place: string, look: PathEntry, uid: number, trusted: readonly number[]): string | null {
  if (!trusted.includes(look.uid)) return `${place} belongs to another user (uid ${look.uid}), who could replace it`;
  // The mode of a symbolic link means nothing.
  if (look.target !== null || !isWritableByOthers(look, uid)) return null;
  return `other users can write to ${place} and so replace its content; run chmod go-w on it`;
}

function namesIn(text: string): string[] {
  return text.split('/').filter((name) => name !== '' && name !== '.');
}

const DIRECTORY = 0o040_000;
const CHARACTER_DEVICE = 0o020_000;
const TYPE = 0o170_000;
const STICKY = 0o1_000;

function isWritableByOthers({ mode, uid: owner, gid }: PathEntry, uid: number): boolean {
  const type = mode & TYPE;
  // What is written to /dev/null is not what is read there.
  if (type === CHARACTER_DEVICE || (type === DIRECTORY && (mode & STICKY) !== 0)) return false;
  // Where each user has a private group of the same number, their umask makes directories group-writable.
  const isPrivateGroup = uid !== 0 && owner === uid && gid === uid;
  return (mode & (isPrivateGroup ? 0o002 : 0o022)) !== 0;
}

async function readEntry(file: string): Promise<PathEntry | null> {
  try {
    const stat = await fs.promises.lstat(file);
    return entryOf(stat, stat.isSymbolicLink() ? await fs.promises.readlink(file) : null);
  } catch (error) {
    return nothingThere(error);
  }
}

function readEntrySync(file: string): PathEntry | null {
  try {
    const stat = fs.lstatSync(file);
    return entryOf(stat, stat.isSymbolicLink() ? fs.readlinkSync(file) : null);
  } catch (error) {
    return nothingThere(error);
  }
}

function entryOf({ uid, gid, mode }: Stats, target: string | null): PathEntry {
  return { uid, gid, mode, target };
}

function nothingThere(error: unknown): null {
  if (hasCode(error, 'ENOENT')) return null;
  throw error;
}

/** Exchanges a file for another one at once. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { syncPath } from './files.ts';

/**
 * Writes beside the file and renames, so that whoever reads it finds all of one or all of the other. Keeps its mode and
 * owner, and a symbolic link that leads to it.
 *
 * @throws what the file system says; then the file is as it was
 */
export async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const real = await realpath(file);
  const old = await stat(real);
  // Hidden: no cron reads a file with such a name.
  const aside = path.join(path.dirname(real), `.${path.basename(real)}.${randomBytes(4).toString('hex')}`);
  try {
    const handle = await open(aside, 'wx', 0o600);
    try {
      await handle.writeFile(bytes);
      await giveTo(handle, old.uid, old.gid);
      await handle.chmod(old.mode & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, real);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncPath(path.dirname(real));
}

/** Only root may give a file away: to others it fails, unless the file is theirs. */
async function giveTo(handle: FileHandle, uid: number, gid: number): Promise<void> {
  const now = await handle.stat();
  if (now.uid !== uid || now.gid !== gid) await handle.chown(uid, gid);
}

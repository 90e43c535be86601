/** Exchanges a file for another one at once. */
import { chmod, chown, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncPath } from '../state/files.ts';

/**
 * Writes beside the file and renames, so that whoever starts it finds all of one or all of the other. Keeps its mode and
 * owner.
 *
 * @throws what the file system says; then the file is as it was
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const { mode, uid, gid } = await stat(path);
  const aside = `${path}.new.${process.pid}`;
  try {
    const file = await open(aside, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    // Who isn't root keeps the file that was theirs.
    if (process.getuid?.() === 0) await chown(aside, uid, gid);
    await chmod(aside, mode & 0o7777);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncPath(dirname(path));
}

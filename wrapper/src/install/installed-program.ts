/** The `leash` that is running, as a file of this machine. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isSingleExecutable } from '../host/own-program.ts';

export type InstalledProgram =
  /** As install.sh installs it: one file that a shell and Node.js run. */
  | { readonly kind: 'script'; readonly path: string; readonly digest: string }
  /** One executable that contains Node.js. */
  | { readonly kind: 'executable'; readonly path: string }
  /** It belongs to a package of the system, which would undo what others do to it. */
  | {
      readonly kind: 'packaged';
      readonly path: string;
      readonly upgradeHint: string;
      readonly removeHint: string;
    };

/** @throws when the file can't be read */
export async function installedProgram(): Promise<InstalledProgram> {
  const path = await realpath(isSingleExecutable() ? process.execPath : (process.argv[1] ?? process.execPath));
  const packaged = await packageOf(path);
  if (packaged !== null) return { kind: 'packaged', path, ...packaged };
  if (isSingleExecutable()) return { kind: 'executable', path };
  return { kind: 'script', path, digest: sha256(await readFile(path)) };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const MANAGERS = [
  {
    query: ['dpkg-query', '-S'],
    upgradeHint: 'install the newer .deb package',
    removeHint: 'remove the package: apt-get remove leash',
  },
  {
    query: ['rpm', '-qf'],
    upgradeHint: 'install the newer .rpm package: rpm -U',
    removeHint: 'remove the package: rpm -e leash',
  },
] as const;

async function packageOf(path: string): Promise<{ upgradeHint: string; removeHint: string } | null> {
  // Packages leave these to others.
  if (path.startsWith('/usr/local/') || path.startsWith('/home/')) return null;
  for (const { query, ...hints } of MANAGERS) {
    const [program, option] = query;
    // It fails if the file belongs to no package, or if this manager isn't there.
    const isOwned = await promisify(execFile)(program, [option, path]).then(
      () => true,
      () => false,
    );
    if (isOwned) return hints;
  }
  return null;
}

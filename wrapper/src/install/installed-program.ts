/** The `leash` that is running, as a file of this machine. */
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { isSingleExecutable } from '../host/own-program.ts';
import { type PackageManager, packageManagerOf } from '../host/package-manager.ts';

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

const HINTS: Readonly<Record<PackageManager, { readonly upgradeHint: string; readonly removeHint: string }>> = {
  dpkg: {
    upgradeHint: 'install the newer .deb package',
    removeHint: 'remove the package: apt-get remove leash',
  },
  rpm: {
    upgradeHint: 'install the newer .rpm package: rpm -U',
    removeHint: 'remove the package: rpm -e leash',
  },
};

async function packageOf(path: string): Promise<(typeof HINTS)[PackageManager] | null> {
  // Packages leave these to others.
  if (path.startsWith('/usr/local/') || path.startsWith('/home/')) return null;
  const manager = await packageManagerOf(path);
  return manager === null ? null : HINTS[manager];
}

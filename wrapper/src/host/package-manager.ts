/** Which package manager of the system has installed a file. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export type PackageManager = 'dpkg' | 'rpm';

const QUERIES: readonly (readonly [PackageManager, string, string])[] = [
  ['dpkg', 'dpkg-query', '-S'],
  ['rpm', 'rpm', '-qf'],
];

/** @returns null when the file belongs to no package */
export async function packageManagerOf(path: string): Promise<PackageManager | null> {
  for (const [manager, program, option] of QUERIES) {
    // It fails if the file belongs to no package, or if this manager isn't there.
    const isOwner = await promisify(execFile)(program, [option, path]).then(
      () => true,
      () => false,
    );
    if (isOwner) return manager;
  }
  return null;
}

/** What a machine fetches from its control plane to install leash. */
import { createHash } from 'node:crypto';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './local/paths.ts';

/** The Worker fills in its own address before it serves this: see worker/src/http/routes/install.ts. */
const INSTALL_SCRIPT = join(ROOT, 'wrapper', 'install', 'install.sh');

/** Puts the program, its digest and the install script into a directory of assets. */
export async function addInstallFiles(program: string, directory: string): Promise<void> {
  const served = join(directory, 'leash.cjs');
  await Promise.all([copyFile(program, served), copyFile(INSTALL_SCRIPT, join(directory, 'install.sh'))]);
  const digest = createHash('sha256')
    .update(await readFile(served))
    .digest('hex');
  // As `sha256sum` prints it, so that `sha256sum -c` takes it.
  await writeFile(`${served}.sha256`, `${digest}  leash.cjs\n`);
}

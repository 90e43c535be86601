/** The browser's program, unpacked from its package. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const library = createRequire(import.meta.url).resolve('@sparticuz/chromium');
const packageFolder = join(dirname(library), '..');
/** Inside the package, so that another version removes it. */
const unpacked = join(packageFolder, 'unpacked');

/**
 * Unpacks the program if it isn't there yet. It takes seconds.
 *
 * By itself the package unpacks to a fixed place among the temporary files, where a second process finds the program
 * half written and uses it. This function lets it unpack to a new folder, and renames that when it is complete.
 *
 * @returns the path of the program
 */
export async function unpackChromium(): Promise<string> {
  if (!existsSync(unpacked)) {
    const folder = await mkdtemp(join(packageFolder, 'unpacking-'));
    const unpack = `import chromium from '${pathToFileURL(library)}'; await chromium.executablePath();`;
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', unpack], {
      env: { ...process.env, TMPDIR: folder },
    });
    await rename(folder, unpacked).catch(async (error: unknown) => {
      await rm(folder, { recursive: true, force: true });
      // Another process was faster.
      if (!existsSync(unpacked)) throw error;
    });
  }
  return join(unpacked, 'chromium');
}

/** Before all tests, as vitest calls it: else every file that needs the browser would unpack it. */
export async function setup(): Promise<void> {
  await unpackChromium();
}

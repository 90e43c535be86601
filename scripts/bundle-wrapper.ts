/** Makes the wrapper one file. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { launcherHeader, seal } from '../wrapper/src/launch/launcher-header.ts';
import { ROOT } from './local/paths.ts';

/**
 * In front of the bundle: a program that is cut off is a syntax error, wherever that is, for it is one function. And a Node
 * that is too old, but reads the bundle, says so (one that doesn't read it is seen by the launcher alone).
 */
const PROLOGUE = `if (parseInt(process.versions.node, 10) < 18) {
process.stderr.write("leash: Node.js " + process.version + " is too old: leash needs 18 or later\\n"); process.exit(255); }
(function () {`;
const EPILOGUE = '})();';

/**
 * Bundles `leash` for Node 18 and later into `outfile`, a program that can be started as it is.
 *
 * @param sourceMap `external`: in a file beside it, which the program itself does not mention; `inline`: in the program,
 *   for `node --enable-source-maps` and debuggers, wherever it is copied
 */
export async function bundleWrapper(outfile: string, sourceMap: 'external' | 'inline' = 'external'): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['wrapper/src/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    // Node 18 takes a file without an extension, as it is installed, for CommonJS.
    format: 'cjs',
    target: 'node18',
    logLevel: 'warning',
    legalComments: 'none',
    sourcemap: sourceMap,
    define: { __LEASH_VERSION__: JSON.stringify(await packageVersion()) },
    // ws tries these native add-ons and does without them.
    external: ['bufferutil', 'utf-8-validate'],
    banner: { js: launcherHeader() + PROLOGUE },
    footer: { js: EPILOGUE },
  });
  await writeFile(outfile, seal(await readFile(outfile, 'utf8')));
  await chmod(outfile, 0o755);
}

async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return version;
}

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
(function () {
const __lazy = (name) => {
  let loaded;
  const load = () => (loaded ??= require(name));
  return new Proxy({}, { get: (_, key) => (key === "default" ? load() : load()[key]) });
};
const __eager = (name) => ({ __proto__: require(name), default: require(name) });`;
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
    // Each start reads all of it, and the command waits for that. Names stay, for a stack trace that a person reads.
    minifyWhitespace: true,
    lineLimit: 160,
    sourcemap: sourceMap,
    define: { __LEASH_VERSION__: JSON.stringify(await packageVersion()) },
    // ws tries these native add-ons and does without them.
    external: ['bufferutil', 'utf-8-validate'],
    banner: { js: launcherHeader() + PROLOGUE },
    footer: { js: EPILOGUE },
  });
  await writeFile(outfile, seal(importLazily(await readFile(outfile, 'utf8'))));
  await chmod(outfile, 0o755);
}

/** They are loaded in any case, and used too often to go through a proxy. */
const ALWAYS_LOADED: ReadonlySet<string> = new Set(['node:fs', 'node:os', 'node:path', 'node:perf_hooks', 'node:util']);

/**
 * Loads Node's own modules when they are first used, because the command waits for what is loaded before it is started:
 * `node:crypto` alone takes a fifth of the time in which Node itself starts. In each module that imports one, esbuild would
 * also copy all that it exports.
 */
function importLazily(program: string): string {
  const imports =
    /\b(import_\w+\s*=\s*)(?:__toESM\(require\("(node:[\w/]+)"\)(?:,\s*1)?\)|require\("(node:[\w/]+)"\))/g;
  let count = 0;
  const changed = program.replace(imports, (whole: string, assigned: string, withDefault?: string, named?: string) => {
    count += 1;
    const name = withDefault ?? named ?? '';
    // As long as before, so that the source map still fits what follows on the line.
    return `${assigned}${ALWAYS_LOADED.has(name) ? '__eager' : '__lazy'}("${name}")`.padEnd(whole.length);
  });
  if (count === 0) throw new Error('esbuild imports Node’s modules in another way than expected');
  return changed;
}

async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return version;
}

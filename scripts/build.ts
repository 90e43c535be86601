/**
 * Builds everything that is shipped, into dist/:
 *
 *     dist/leash.cjs        the wrapper, one file for Node 18 and later
 *     dist/page/            the page, and what a machine fetches from its control plane: leash.cjs, its digest, install.sh
 *     dist/worker/index.js  the Worker
 *     dist/deployment.json  how wrangler.toml wants it run, for the local runtime
 *
 * Beside them is what names the sources in a stack trace, and is not shipped: leash.cjs.map, worker/index.js.map, and
 * page-maps/, apart from page/, because a deploy uploads all that is in there.
 *
 * The Worker is bundled by `wrangler deploy --dry-run`: what the demo and the tests run is then, byte for byte, what a
 * deploy would upload, and a mistake in wrangler.toml shows here. It costs a second more than calling esbuild.
 *
 * Each part is made aside and moved into place when it is whole, so that a build never shows a half-written page to a
 * control plane that is running from dist/.
 */
import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build as viteBuild } from 'vite';
import { bundleWrapper } from './bundle-wrapper.ts';
import { addInstallFiles } from './install-files.ts';
import { writeDeployment } from './local/deployment.ts';
import { DIST, ROOT } from './local/paths.ts';

/** As deep in the repository as dist/: a source map says where its sources are from where it is. */
const aside = join(ROOT, `.building-${process.pid}`);

try {
  await Promise.all([DIST, aside].map((directory) => mkdir(directory, { recursive: true })));
  await Promise.all([buildPage(), bundleWrapper(join(aside, 'leash.cjs'))]);
  // The wrapper goes where the page's files are, whatever the page's own build puts there.
  await addInstallFiles(join(aside, 'leash.cjs'), join(aside, 'page'));
  await Promise.all(['page', 'page-maps', 'leash.cjs', 'leash.cjs.map'].map(moveIntoPlace));
  // After the page: wrangler looks at the assets too.
  await buildWorker();
  await writeDeployment(join(aside, 'deployment.json'));
  await Promise.all([moveIntoPlace('worker'), moveIntoPlace('deployment.json')]);
  await report();
} catch (error) {
  console.error(`build failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await rm(aside, { recursive: true, force: true });
}

async function buildPage(): Promise<void> {
  await viteBuild({
    configFile: join(ROOT, 'dashboard', 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: join(aside, 'page'), emptyOutDir: true, sourcemap: 'hidden' },
  });
  await takeOutMaps();
}

async function takeOutMaps(): Promise<void> {
  const assets = join(aside, 'page', 'assets');
  const maps = join(aside, 'page-maps', 'assets');
  await mkdir(maps, { recursive: true });
  const names = (await readdir(assets)).filter((name) => name.endsWith('.map'));
  await Promise.all(names.map((name) => rename(join(assets, name), join(maps, name))));
}

async function buildWorker(): Promise<void> {
  const outdir = join(aside, 'worker');
  const { status, output } = await run('wrangler', ['deploy', '--dry-run', '--outdir', outdir]);
  if (status !== 0) throw new Error(`the Worker could not be built:\n${output}`);
}

async function moveIntoPlace(name: string): Promise<void> {
  const place = join(DIST, name);
  const old = join(aside, `old-${name}`);
  // A directory can't be replaced by rename while it has entries, so the old one steps aside first.
  await rename(place, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(join(aside, name), place);
}

async function report(): Promise<void> {
  const sizes = [
    ['leash.cjs', await sizeOf(join(DIST, 'leash.cjs'))],
    ['page/', await sizeOf(join(DIST, 'page'))],
    ['worker/index.js', await sizeOf(join(DIST, 'worker', 'index.js'))],
  ] as const;
  for (const [name, bytes] of sizes) {
    console.log(`built dist/${name.padEnd(16)} ${(bytes / 1024).toFixed(0).padStart(6)} KiB`);
  }
}

async function sizeOf(path: string): Promise<number> {
  const info = await stat(path);
  if (!info.isDirectory()) return info.size;
  const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function run(program: string, args: string[]): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, 'node_modules', '.bin', program), args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, output }));
  });
}

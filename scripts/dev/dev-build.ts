/**
 * What `npm run dev` builds, into dist/dev/: the Worker, the wrapper, and what wrangler.toml says. Each by itself and by
 * esbuild alone, which takes a tenth of a second; what is deployed and tested is built by scripts/build.ts.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BuildContext, context } from 'esbuild';
import { bundleWrapper } from '../bundle-wrapper.ts';
import { addInstallFiles } from '../install-files.ts';
import { updateDeployment } from '../local/deployment.ts';
import { DEV_DIST, DIST, deploymentFile, ROOT, workerBundle } from '../local/paths.ts';
import { StartError } from '../local/start-error.ts';

/** The wrapper, with its source map in it. */
export const DEV_LEASH_PROGRAM = join(DEV_DIST, 'leash.cjs');

/** What a machine installs. Vite serves the page. */
export const DEV_ASSETS = join(DEV_DIST, 'assets');

export class DevBuild {
  readonly #worker: BuildContext<{ write: false }>;
  #workerCode = '';

  private constructor(worker: BuildContext<{ write: false }>) {
    this.#worker = worker;
  }

  static async create(): Promise<DevBuild> {
    await mkdir(DEV_ASSETS, { recursive: true });
    const worker = await context({
      absWorkingDir: ROOT,
      entryPoints: ['worker/index.ts'],
      outfile: workerBundle(DEV_DIST),
      write: false,
      bundle: true,
      sourcemap: 'linked',
      // As wrangler does it.
      format: 'esm',
      platform: 'browser',
      target: 'es2024',
      conditions: ['workerd', 'worker', 'browser'],
      external: ['node:*', 'cloudflare:*'],
      keepNames: true,
      logLevel: 'warning',
    });
    return new DevBuild(worker);
  }

  /** @returns whether the Worker is another than before */
  async buildWorker(): Promise<boolean> {
    const { outputFiles } = await this.#worker.rebuild();
    const code = outputFiles.find(({ path }) => path.endsWith('.js'))?.text ?? '';
    if (code === this.#workerCode) return false;
    await mkdir(dirname(workerBundle(DEV_DIST)), { recursive: true });
    await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
    this.#workerCode = code;
    return true;
  }

  async buildWrapper(): Promise<void> {
    await bundleWrapper(DEV_LEASH_PROGRAM, 'inline');
    await addInstallFiles(DEV_LEASH_PROGRAM, DEV_ASSETS);
  }

  /** What wrangler.toml and migrations/ say. */
  readSettings(): Promise<void> {
    // To load wrangler takes longer than all else that is built here.
    return updateDeployment(deploymentFile(DEV_DIST), [deploymentFile(DEV_DIST), deploymentFile(DIST)]);
  }

  /** @throws StartError when something does not build */
  async all(): Promise<void> {
    try {
      await Promise.all([this.buildWorker(), this.buildWrapper(), this.readSettings()]);
    } catch (error) {
      throw new StartError(error instanceof Error ? error.message : String(error));
    }
  }

  async close(): Promise<void> {
    await this.#worker.dispose();
  }
}

/** Builds again what depends on a changed file, one build at a time. What does not build is said, and ends nothing. */
import { relative } from 'node:path';
import { ROOT } from '../local/paths.ts';
import type { DevBuild } from './dev-build.ts';
import type { DevControlPlane } from './dev-control-plane.ts';

type Part = 'worker' | 'wrapper' | 'settings';

/** Which files each part is made of. The page is Vite's to look after. */
const SOURCES: readonly { readonly pattern: RegExp; readonly parts: readonly Part[] }[] = [
  { pattern: /^worker\/(?!test\/).*\.ts$/, parts: ['worker'] },
  { pattern: /^wrapper\/src\/.*\.ts$/, parts: ['wrapper'] },
  { pattern: /^(protocol|shared)\/(?!test\/).*\.ts$/, parts: ['worker', 'wrapper'] },
  { pattern: /^(wrangler\.toml|migrations\/.*\.sql)$/, parts: ['settings'] },
];

/** Where these files are. */
export const WATCHED = ['worker', 'wrapper/src', 'protocol', 'shared', 'wrangler.toml', 'migrations'] as const;

/** An editor that saves several files does so at once. */
const COLLECT_MS = 50;

export class Rebuilder {
  readonly #build: DevBuild;
  readonly #controlPlane: DevControlPlane;
  readonly #changed = new Set<Part>();
  /** Whether what runs is not what was built last. */
  #isOutdated = false;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(build: DevBuild, controlPlane: DevControlPlane) {
    this.#build = build;
    this.#controlPlane = controlPlane;
  }

  /** @param path of a file that was changed, added or removed */
  changed(path: string): void {
    const file = relative(ROOT, path);
    const parts = SOURCES.filter(({ pattern }) => pattern.test(file)).flatMap((source) => source.parts);
    if (parts.length === 0) return;
    for (const part of parts) this.#changed.add(part);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#running = this.#running.then(() => this.#rebuild(file));
    }, COLLECT_MS);
  }

  /** Builds nothing more; resolves when what was under way is over. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  async #rebuild(file: string): Promise<void> {
    const since = performance.now();
    const parts = new Set(this.#changed);
    this.#changed.clear();
    console.log(`${file} changed.`);
    if (parts.has('wrapper')) {
      const built = await attempt(() => this.#build.buildWrapper(), 'The wrapper does not build.');
      if (built) console.log('Built the wrapper. The command line above downloads it.');
    }
    if (!(await attempt(() => this.#buildControlPlane(parts), 'The control plane runs on as it was.'))) return;
    if (!this.#isOutdated) {
      if (parts.has('worker')) console.log('The Worker has not changed: nothing was restarted.');
      return;
    }
    const restarted = await attempt(
      () => this.#controlPlane.restart(),
      'The control plane did not start. It is started again after the next change.',
    );
    if (!restarted) return;
    this.#isOutdated = false;
    console.log(`Restarted the control plane in ${((performance.now() - since) / 1000).toFixed(1)} s.`);
  }

  async #buildControlPlane(parts: ReadonlySet<Part>): Promise<void> {
    if (parts.has('settings')) {
      await this.#build.readSettings();
      this.#isOutdated = true;
    }
    if (parts.has('worker') && (await this.#build.buildWorker())) this.#isOutdated = true;
    if (!this.#controlPlane.isRunning) this.#isOutdated = true;
  }
}

/** @returns whether it worked; if not, it has been reported */
async function attempt(work: () => Promise<void>, failure: string): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    // What does not build has been shown by esbuild itself.
    const isShown = error instanceof Error && 'errors' in error;
    if (!isShown) console.error(error instanceof Error ? error.message : String(error));
    console.error(failure);
    return false;
  }
}

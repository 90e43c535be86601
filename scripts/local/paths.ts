/** Where things are in a checkout. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const DIST = join(ROOT, 'dist');
/** The wrapper as it is shipped. */
export const LEASH_PROGRAM = join(DIST, 'leash.cjs');
/** What `npm run dev` builds, apart from what is shipped: tests may run from dist/ meanwhile. */
export const DEV_DIST = join(DIST, 'dev');

/** The Worker in a directory of what is built. */
export function workerBundle(dist: string): string {
  return join(dist, 'worker', 'index.js');
}

/** What wrangler.toml and migrations/ say, for the local runtime. */
export function deploymentFile(dist: string): string {
  return join(dist, 'deployment.json');
}

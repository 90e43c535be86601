/** Where things are in a checkout. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const DIST = join(ROOT, 'dist');
/** The wrapper as it is shipped. */
export const LEASH_PROGRAM = join(DIST, 'leash.cjs');
export const WORKER_BUNDLE = join(DIST, 'worker', 'index.js');
/** What wrangler.toml and migrations/ say, for the local runtime. */
export const DEPLOYMENT = join(DIST, 'deployment.json');

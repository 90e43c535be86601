import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ROOT } from '../../scripts/local/paths.ts';

/** How many bytes of script (gzip) the built page needs for its first view: what its HTML names, before anything is opened. */
export async function firstScriptBytes(): Promise<number> {
  const page = join(ROOT, 'dist', 'page');
  const html = await readFile(join(page, 'index.html'), 'utf8');
  const scripts = (await readdir(join(page, 'assets'))).filter((name) => name.endsWith('.js') && html.includes(name));
  const sizes = await Promise.all(
    scripts.map(async (name) => gzipSync(await readFile(join(page, 'assets', name))).length),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * What wrangler.toml and migrations/ say, in the local runtime's terms. The build writes it down, because only wrangler can
 * read them, and loading that takes longer than all else that a start of the control plane does.
 */
import './offline.ts';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { unstable_getMiniflareWorkerOptions } from 'wrangler';
import { ROOT } from './paths.ts';

export interface Deployment {
  readonly workerOptions: ReturnType<typeof unstable_getMiniflareWorkerOptions>['workerOptions'];
  /** In the order in which they are applied. */
  readonly migrations: readonly Migration[];
}

export interface Migration {
  /** The file's name. */
  readonly name: string;
  readonly statements: readonly string[];
}

/** Only for the build: it loads wrangler. */
export async function writeDeployment(file: string): Promise<void> {
  // wrangler.toml says that it is required, and would be called incomplete without it; each start has its own.
  process.env.LEASH_ADMIN_TOKEN ??= 'unset';
  const { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } = await import('wrangler');
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, 'wrangler.toml'));
  const directory = join(ROOT, 'migrations');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql'));
  names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || a.localeCompare(b));
  const migrations = await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(directory, name), 'utf8');
      return { name, statements: unstable_splitSqlQuery(sql) };
    }),
  );
  const bindings = Object.fromEntries(
    Object.entries(workerOptions.bindings ?? {}).filter(([name]) => name !== 'LEASH_ADMIN_TOKEN'),
  );
  const deployment: Deployment = { workerOptions: { ...workerOptions, bindings }, migrations };
  await writeFile(file, JSON.stringify(deployment));
}

export async function readDeployment(file: string): Promise<Deployment> {
  return JSON.parse(await readFile(file, 'utf8')) as Deployment;
}

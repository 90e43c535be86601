/**
 * What wrangler.toml and migrations/ say, in the local runtime's terms. The build writes it down, because only wrangler can
 * read them, and loading that takes longer than all else that a start of the control plane does.
 */
import './offline.ts';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { unstable_getMiniflareWorkerOptions } from 'wrangler';
import { readSettings, type SettingVars } from '../../worker/settings.ts';
import { ROOT } from './paths.ts';

const CONFIG = join(ROOT, 'wrangler.toml');

export interface Deployment {
  readonly workerOptions: ReturnType<typeof unstable_getMiniflareWorkerOptions>['workerOptions'];
  /** The paths that the Worker answers even where the page has a file, `*` at the end of one for all below it. */
  readonly workerFirst: readonly string[];
  /** In the order in which they are applied. */
  readonly migrations: readonly Migration[];
}

export interface Migration {
  /** The file's name. */
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * Only for builds: it loads wrangler.
 *
 * @param assetsDirectory in place of the one that wrangler.toml names
 * @throws when a setting under [vars] is wrong
 */
export async function writeDeployment(file: string, assetsDirectory?: string): Promise<void> {
  const { unstable_readConfig, unstable_splitSqlQuery } = await import('wrangler');
  const { assets } = unstable_readConfig({ config: CONFIG });
  const workerFirst = Array.isArray(assets?.run_worker_first) ? assets.run_worker_first : [];
  const workerOptions = await readWorkerOptions(assetsDirectory);
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
  // Each of them is checked by being read.
  readSettings(bindings as unknown as SettingVars);
  const deployment: Deployment = { workerOptions: { ...workerOptions, bindings }, workerFirst, migrations };
  await writeFile(file, JSON.stringify(deployment));
}

async function readWorkerOptions(assetsDirectory: string | undefined): Promise<Deployment['workerOptions']> {
  const { unstable_getMiniflareWorkerOptions } = await import('wrangler');
  const given = process.env.LEASH_ADMIN_TOKEN;
  // wrangler.toml says that it is required, and would be called incomplete without it; each start has its own.
  process.env.LEASH_ADMIN_TOKEN = 'unset';
  try {
    const overrides = assetsDirectory === undefined ? {} : { assets: { directory: assetsDirectory } };
    return unstable_getMiniflareWorkerOptions(CONFIG, undefined, { overrides }).workerOptions;
  } finally {
    if (given === undefined) delete process.env.LEASH_ADMIN_TOKEN;
    else process.env.LEASH_ADMIN_TOKEN = given;
  }
}

export async function readDeployment(file: string): Promise<Deployment> {
  return JSON.parse(await readFile(file, 'utf8')) as Deployment;
}

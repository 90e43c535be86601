/**
 * What wrangler.toml and migrations/ say, in the local runtime's terms. The build writes it down, because only wrangler can
 * read them, and loading that takes longer than all else that a start of the control plane does.
 */
import './offline.ts';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { unstable_getMiniflareWorkerOptions } from 'wrangler';
import { readSettings, type SettingVars } from '../../worker/shared/settings.ts';
import { ROOT } from './paths.ts';

const CONFIG = join(ROOT, 'wrangler.toml');
const MIGRATIONS = join(ROOT, 'migrations');
const SCHEMA = join(ROOT, 'schema.sql');

/**
 * The local runtime names the database's file by this id. It is that of 0.1.0, in whose wrangler.toml it was written: with
 * another one, a state directory from before would seem to have lost its tokens and lists.
 */
const LOCAL_DATABASE = { DB: { id: '00000000-0000-0000-0000-000000000000' } };

export interface Deployment {
  readonly workerOptions: ReturnType<typeof unstable_getMiniflareWorkerOptions>['workerOptions'];
  /** The paths that the Worker answers even where the page has a file, `*` at the end of one for all below it. */
  readonly workerFirst: readonly string[];
  /** In the order in which they are applied. */
  readonly migrations: readonly Migration[];
  /** The statements of schema.sql, which is what all migrations lead to. */
  readonly schema: readonly string[];
  /** wrangler.toml as it is written: what `npm run deploy` completes. */
  readonly config: Readonly<Record<string, unknown>>;
  /** A hash of all that this was made of. */
  readonly inputs: string;
}

export interface Migration {
  /** The file's name. */
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * Only for builds: it loads wrangler.
 *
 * @throws when a setting under [vars] is wrong
 */
export async function writeDeployment(file: string): Promise<void> {
  const { experimental_readRawConfig, unstable_readConfig, unstable_splitSqlQuery } = await import('wrangler');
  const { assets } = unstable_readConfig({ config: CONFIG });
  const workerFirst = Array.isArray(assets?.run_worker_first) ? assets.run_worker_first : [];
  const workerOptions = await readWorkerOptions();
  const names = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql'));
  names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || a.localeCompare(b));
  const migrations = await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(MIGRATIONS, name), 'utf8');
      return { name, statements: unstable_splitSqlQuery(sql) };
    }),
  );
  const bindings = Object.fromEntries(
    Object.entries(workerOptions.bindings ?? {}).filter(([name]) => name !== 'LEASH_ADMIN_TOKEN'),
  );
  // Each of them is checked by being read.
  readSettings(bindings as unknown as SettingVars);
  const deployment: Deployment = {
    workerOptions: { ...workerOptions, bindings, d1Databases: LOCAL_DATABASE },
    workerFirst,
    migrations,
    schema: unstable_splitSqlQuery(await readFile(SCHEMA, 'utf8')),
    config: { ...experimental_readRawConfig({ config: CONFIG }).rawConfig },
    inputs: await hashInputs(),
  };
  await writeFile(file, JSON.stringify(deployment));
}

/** As {@link writeDeployment}, but where one of the files in `before` is what it would write, that is copied. */
export async function updateDeployment(file: string, before: readonly string[]): Promise<void> {
  const inputs = await hashInputs();
  for (const candidate of before.filter(existsSync)) {
    if ((await readDeployment(candidate)).inputs !== inputs) continue;
    if (candidate !== file) await copyFile(candidate, file);
    return;
  }
  await writeDeployment(file);
}

async function hashInputs(): Promise<string> {
  const migrations = (await readdir(MIGRATIONS)).toSorted().map((name) => join(MIGRATIONS, name));
  // What is written holds paths, and depends on wrangler's version.
  const hash = createHash('sha256').update(ROOT);
  for (const file of [CONFIG, SCHEMA, join(ROOT, 'package-lock.json'), ...migrations]) {
    hash.update(`\0${file}\0`).update(await readFile(file));
  }
  return hash.digest('hex');
}

async function readWorkerOptions(): Promise<Deployment['workerOptions']> {
  const { unstable_getMiniflareWorkerOptions } = await import('wrangler');
  const given = process.env.LEASH_ADMIN_TOKEN;
  // wrangler.toml says that it is required, and would be called incomplete without it; each start has its own.
  process.env.LEASH_ADMIN_TOKEN = 'unset';
  try {
    return unstable_getMiniflareWorkerOptions(CONFIG).workerOptions;
  } finally {
    if (given === undefined) delete process.env.LEASH_ADMIN_TOKEN;
    else process.env.LEASH_ADMIN_TOKEN = given;
  }
}

export async function readDeployment(file: string): Promise<Deployment> {
  return JSON.parse(await readFile(file, 'utf8')) as Deployment;
}

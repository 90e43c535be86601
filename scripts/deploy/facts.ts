/** What is in the account before a deployment. Reading it changes nothing. */
import { type Account, chooseAccount, findSubdomain } from './account.ts';
import type { Bucket } from './bucket.ts';
import { hasBucket } from './bucket.ts';
import type { CloudflareApi } from './cloudflare-api.ts';
import type { DeployConfig } from './config.ts';
import { type Database, findDatabase } from './database.ts';
import { DeployError } from './deploy-error.ts';
import { findDomains } from './domain.ts';
import { type Names, namesOf } from './names.ts';
import type { DeployOptions, Jurisdiction } from './options.ts';
import { decideJurisdiction } from './placement.ts';
import { EMPTY_DATABASE, readSchemaState, type SchemaState } from './schema.ts';
import { type DeployedWorker, readWorker } from './worker-state.ts';

export interface Facts {
  readonly account: Account;
  readonly names: Names;
  readonly deployed: DeployedWorker | null;
  readonly hasAdminToken: boolean;
  /** Null: there is none yet. */
  readonly database: Database | null;
  readonly schema: SchemaState;
  readonly jurisdiction: Jurisdiction | null;
  /** Null: no bucket is wanted. */
  readonly bucket: (Bucket & { readonly exists: boolean }) | null;
  readonly subdomain: string | null;
  readonly domains: readonly string[];
}

/** @throws DeployError when what is there stands in the way */
export async function readFacts(
  api: CloudflareApi,
  options: DeployOptions,
  config: DeployConfig,
  env: NodeJS.ProcessEnv,
): Promise<Facts> {
  const account = await chooseAccount(api, env.CLOUDFLARE_ACCOUNT_ID || config.account_id || null);
  const name = options.name ?? config.name;
  const state = await readWorker(api, account.id, name);
  if (state.kind === 'foreign') {
    throw new DeployError(
      `The account has a Worker named ${name} that isn’t Leash. Deploy under another name: npm run deploy -- --name NAME`,
    );
  }
  const deployed = state.kind === 'deployed' ? state.worker : null;
  const names = namesOf(config, options.name, deployed);
  const database = await findOwnDatabase(api, account.id, names, config, deployed);
  const jurisdiction = decideJurisdiction({ wanted: options.jurisdiction, config, deployed, database });
  const isBucketWanted =
    options.bucket ||
    (deployed?.bucket ?? null) !== null ||
    config.r2_buckets.some(({ binding }) => binding === 'OUTPUT_BUCKET');
  const bucket = { name: names.bucket, jurisdiction: jurisdiction ?? '' };
  return {
    account,
    names,
    deployed,
    hasAdminToken: state.kind === 'empty' || deployed?.hasAdminToken === true,
    database,
    schema:
      database === null
        ? EMPTY_DATABASE
        : await readSchemaState(api, { accountId: account.id, databaseId: database.id }),
    jurisdiction,
    bucket: isBucketWanted ? { ...bucket, exists: await hasBucket(api, account.id, bucket) } : null,
    subdomain: await findSubdomain(api, account.id),
    domains: deployed === null ? [] : await findDomains(api, account.id, names.worker),
  };
}

/** That of wrangler.toml, that of the deployed Worker, or the one with its name. */
async function findOwnDatabase(
  api: CloudflareApi,
  accountId: string,
  names: Names,
  config: DeployConfig,
  deployed: DeployedWorker | null,
): Promise<Database | null> {
  const written = names.worker === config.name ? config.d1_databases[0].database_id : null;
  if (written !== null) {
    const database = await findDatabase(api, accountId, written);
    if (database !== null) return database;
    throw new DeployError(
      `The account has no D1 database with the id ${written}, which is the database_id in wrangler.toml. Remove that line, and the database is found by its name, or created.`,
    );
  }
  const bound = deployed?.databaseId ?? null;
  const database = bound === null ? null : await findDatabase(api, accountId, bound);
  return database ?? (await findDatabase(api, accountId, names.database));
}

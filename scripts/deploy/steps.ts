/** The steps of a deployment, in order. A step that has nothing to change only says what is there. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { registerSubdomain } from './account.ts';
import type { AdminTokenFile, AdminTokenPlan } from './admin-token.ts';
import { createBucket } from './bucket.ts';
import type { CloudflareApi } from './cloudflare-api.ts';
import { type DeployConfig, deriveConfig } from './config.ts';
import { createDatabase, type Database } from './database.ts';
import { addDomains } from './domain.ts';
import type { Facts } from './facts.ts';
import type { DeployOptions } from './options.ts';
import { decideLocation, inJurisdiction } from './placement.ts';
import { type SchemaUpdate, updateSchema } from './schema.ts';
import { type RunWrangler, uploadWorker } from './wrangler.ts';

export type Step =
  | { readonly label: string; readonly kind: 'is'; readonly text: string }
  /** @property would what it will do; `make` returns what it has done */
  | { readonly label: string; readonly kind: 'change'; readonly would: string; make(): Promise<string> };

/** What the steps work on, and find out. */
export interface Deployment {
  readonly api: CloudflareApi;
  readonly options: DeployOptions;
  readonly config: DeployConfig;
  readonly facts: Facts;
  readonly schemaUpdate: SchemaUpdate;
  readonly adminToken: AdminTokenPlan;
  readonly adminTokenFile: AdminTokenFile;
  readonly run: RunWrangler;
  /** Where what is built is. */
  readonly dist: string;
  /** Asks for the account's workers.dev subdomain. @throws DeployError when there is nobody to ask */
  chooseSubdomain(): Promise<string>;
  readonly found: {
    database: Database | null;
    subdomain: string | null;
    domains: readonly string[];
    /** To be shown. */
    madeSecret: string | null;
  };
}

export function stepsOf(deployment: Deployment): Step[] {
  return [
    accountStep(deployment),
    ...subdomainSteps(deployment),
    databaseStep(deployment),
    schemaStep(deployment),
    ...bucketSteps(deployment),
    tokenStep(deployment),
    ...settingSteps(deployment),
    workerStep(deployment),
    ...domainSteps(deployment),
  ];
}

function accountStep({ facts: { account } }: Deployment): Step {
  return { label: 'account', kind: 'is', text: account.name === null ? account.id : `${account.name} (${account.id})` };
}

function subdomainSteps(deployment: Deployment): Step[] {
  const { api, facts, options, found } = deployment;
  if (facts.subdomain !== null) return [];
  return [
    {
      label: 'subdomain',
      kind: 'change',
      would:
        options.subdomain === null
          ? 'register a workers.dev subdomain for the account, once its name is chosen (--subdomain NAME)'
          : `register ${options.subdomain}.workers.dev for the account`,
      make: async () => {
        const subdomain = options.subdomain ?? (await deployment.chooseSubdomain());
        await registerSubdomain(api, facts.account.id, subdomain);
        found.subdomain = subdomain;
        return `${subdomain}.workers.dev, registered`;
      },
    },
  ];
}

function databaseStep({ api, facts, options, found }: Deployment): Step {
  const { account, names, database, jurisdiction } = facts;
  if (database !== null) return { label: 'database', kind: 'is', text: `${database.name}${placeOf(database)}` };
  const location = jurisdiction === null ? options.location : null;
  const where =
    jurisdiction === null ? (location === null ? '' : ` in ${location}`) : ` ${inJurisdiction(jurisdiction)}`;
  return {
    label: 'database',
    kind: 'change',
    would: `create the D1 database ${names.database}${where}`,
    make: async () => {
      found.database = await createDatabase(api, account.id, { name: names.database, jurisdiction, location });
      return `${names.database}${placeOf(found.database)}, created`;
    },
  };
}

function placeOf({ region, jurisdiction }: Database): string {
  const places = [region?.toLowerCase(), jurisdiction].filter((place) => place !== undefined && place !== null);
  return places.length === 0 ? '' : ` (${places.join(', ')})`;
}

function schemaStep({ api, facts, schemaUpdate, found }: Deployment): Step {
  const { parts, newer } = schemaUpdate;
  const warning =
    newer.length === 0 ? '' : `; a newer version of Leash has applied ${newer.join(', ')}, which this one bears`;
  if (parts.length === 0) return { label: 'schema', kind: 'is', text: `up to date${warning}` };
  const what = parts.map((part) => part.what).join(', ');
  return {
    label: 'schema',
    kind: 'change',
    would: `apply ${what}${warning}`,
    make: async () => {
      const target = { accountId: facts.account.id, databaseId: createdDatabase(found).id };
      await updateSchema(api, target, schemaUpdate);
      return `applied ${what}${warning}`;
    },
  };
}

function bucketSteps({ api, facts: { account, bucket } }: Deployment): Step[] {
  if (bucket === null) return [];
  if (bucket.exists) return [{ label: 'bucket', kind: 'is', text: bucket.name }];
  return [
    {
      label: 'bucket',
      kind: 'change',
      would: `create the R2 bucket ${bucket.name}`,
      make: async () => {
        await createBucket(api, account.id, bucket);
        return `${bucket.name}, created`;
      },
    },
  ];
}

function tokenStep({ adminToken }: Deployment): Step {
  const label = 'admin token';
  switch (adminToken.kind) {
    case 'kept':
      return { label, kind: 'is', text: 'as it is' };
    case 'given':
      return { label, kind: 'is', text: 'that of LEASH_ADMIN_TOKEN' };
    case 'made':
      return {
        label,
        kind: 'is',
        text:
          adminToken.secret === null
            ? 'a new one, shown at the end'
            : 'the one of the interrupted deployment, shown at the end',
      };
    case 'unknown':
      return { label, kind: 'is', text: 'a random one, not shown here: set your own in the Worker’s settings' };
  }
}

/** Settings that this deployment changes: somebody may have forgotten that they had changed them. */
function settingSteps(deployment: Deployment): Step[] {
  const { deployed, database } = deployment.facts;
  if (deployed === null || database === null) return [];
  return Object.entries(varsOf(deployment, database)).flatMap(([name, value]): Step[] => {
    const before = deployed.vars[name];
    if (before === undefined || before === value) return [];
    return [
      { label: 'setting', kind: 'is', text: `${name}: ${JSON.stringify(before)} becomes ${JSON.stringify(value)}` },
    ];
  });
}

function varsOf({ config, facts }: Deployment, database: Database): Record<string, string> {
  return {
    ...config.vars,
    LEASH_JURISDICTION: facts.jurisdiction ?? '',
    D1_LOCATION: decideLocation(config, facts.deployed, database),
  };
}

function workerStep(deployment: Deployment): Step {
  const { config, facts, adminToken, adminTokenFile, run, dist, found } = deployment;
  const { account, names, bucket } = facts;
  return {
    label: 'Worker',
    kind: 'change',
    would: `upload ${names.worker}, with the dashboard and the wrapper`,
    make: async () => {
      const database = createdDatabase(found);
      const directory = join(dist, 'deploy', names.worker);
      const configFile = join(directory, 'wrangler.json');
      const derived = deriveConfig(
        config,
        {
          name: names.worker,
          accountId: account.id,
          databaseName: database.name,
          databaseId: database.id,
          bucket,
          vars: varsOf(deployment, database),
        },
        {
          worker: relative(directory, join(dist, 'worker', 'index.js')),
          assets: relative(directory, join(dist, 'page')),
        },
      );
      await mkdir(directory, { recursive: true });
      await writeFile(configFile, `${JSON.stringify(derived, null, 2)}\n`);
      const token = await adminTokenFile.prepare(adminToken);
      try {
        await uploadWorker(run, { configFile, secretsFile: token?.file ?? null });
      } finally {
        await adminTokenFile.uploadEnded();
      }
      if (adminToken.kind === 'made') found.madeSecret = token?.secret ?? null;
      return `${names.worker}, uploaded`;
    },
  };
}

function domainSteps({ api, facts, options, found }: Deployment): Step[] {
  const { domain } = options;
  if (domain === null || facts.domains.includes(domain)) return [];
  return [
    {
      label: 'domain',
      kind: 'change',
      would: `serve it at ${domain}, too`,
      make: async () => {
        const domains = [...facts.domains, domain];
        await addDomains(api, facts.account.id, facts.names.worker, domains);
        found.domains = domains;
        return `${domain}, added`;
      },
    },
  ];
}

function createdDatabase(found: Deployment['found']): Database {
  if (found.database === null) throw new Error('the database is created before it is used');
  return found.database;
}

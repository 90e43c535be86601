/** The flags of `npm run deploy`, and the variables that say the same. */
import { parseArgs } from 'node:util';
import * as v from 'valibot';
import { JURISDICTIONS } from '../../worker/shared/settings.ts';
import { DeployError } from './deploy-error.ts';

export type Jurisdiction = (typeof JURISDICTIONS)[number];

/** Where D1 can be created. */
export const D1_LOCATIONS = ['wnam', 'enam', 'weur', 'eeur', 'apac', 'oc'] as const;
export type D1Location = (typeof D1_LOCATIONS)[number];

/** What the operator asks for; null: as it is deployed, or else as wrangler.toml says. */
export interface DeployOptions {
  readonly name: string | null;
  readonly jurisdiction: Jurisdiction | null;
  readonly location: D1Location | null;
  readonly domain: string | null;
  readonly subdomain: string | null;
  readonly bucket: boolean;
  readonly newAdminToken: boolean;
  readonly dryRun: boolean;
  readonly build: boolean;
  /** Whether to wait until the control plane responds. */
  readonly wait: boolean;
}

const USAGE = 'Run `npm run deploy -- --help` for all options.';

export const HELP = `usage: npm run deploy [-- OPTIONS]

Deploys the control plane to your Cloudflare account: finds or creates what it needs, brings the database's schema up to
date, uploads the Worker, and prints its address. Run it again after an update, or to continue after a failure.

  --dry-run            show each step and change nothing
  --name NAME          deploy a second control plane beside the first, under this name (default: that in wrangler.toml)
  --jurisdiction NAME  restrict where runs and output are stored: ${JURISDICTIONS.join(', ')}. With the first deployment only
  --location HINT      where to create the database: ${D1_LOCATIONS.join(', ')} (default: near you)
  --bucket             move the output of ended runs to an R2 bucket, which is created; later deployments keep it
  --domain HOST        also serve it at this host name of a zone in the account; later deployments keep it
  --subdomain NAME     the account's workers.dev subdomain, if it has none yet
  --new-admin-token    replace the admin token, and sign out everybody who used the old one
  --no-build           upload what \`npm run build\` has built already
  --no-wait            don't wait until the control plane responds
  --help               print this help

Environment variables:
  CLOUDFLARE_API_TOKEN   signs in; without it, \`npx wrangler login\` does
  CLOUDFLARE_ACCOUNT_ID  the account, if you have access to several
  LEASH_ADMIN_TOKEN      the admin token of the first deployment (default: one is created and shown once)
  LEASH_JURISDICTION     the same as --jurisdiction

docs/deploy.md has the rest.`;

/** Also the name of the database, and with \`-output\` that of the bucket: what all three allow. */
const Name = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9](?:[a-z0-9-]{0,52}[a-z0-9])?$/,
    'must consist of lower-case letters, digits and dashes, and be at most 54 characters long',
  ),
);
const Subdomain = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must consist of lower-case letters, digits and dashes'),
);
const Domain = v.pipe(
  v.string(),
  v.regex(/^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, 'must be a host name such as leash.example.com'),
);

/** @throws DeployError when a flag or a variable is wrong */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): DeployOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  return {
    name: check('--name', Name, values.name),
    jurisdiction: readJurisdiction(values.jurisdiction, env),
    location: check(
      '--location',
      v.picklist(D1_LOCATIONS, `must be one of ${D1_LOCATIONS.join(', ')}`),
      values.location,
    ),
    domain: check('--domain', Domain, values.domain?.toLowerCase()),
    subdomain: check('--subdomain', Subdomain, values.subdomain),
    bucket: values.bucket,
    newAdminToken: values['new-admin-token'],
    dryRun: values['dry-run'],
    build: !values['no-build'],
    wait: !values['no-wait'],
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        name: { type: 'string' },
        jurisdiction: { type: 'string' },
        location: { type: 'string' },
        domain: { type: 'string' },
        subdomain: { type: 'string' },
        bucket: { type: 'boolean', default: false },
        'new-admin-token': { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        'no-build': { type: 'boolean', default: false },
        'no-wait': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    // parseArgs says what it did not understand.
    throw new DeployError(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
}

function readJurisdiction(flag: string | undefined, env: NodeJS.ProcessEnv): Jurisdiction | null {
  const source = flag === undefined ? 'LEASH_JURISDICTION' : '--jurisdiction';
  const value = flag ?? (env.LEASH_JURISDICTION === '' ? undefined : env.LEASH_JURISDICTION);
  return check(source, v.picklist(JURISDICTIONS, `must be one of ${JURISDICTIONS.join(', ')}`), value);
}

function check<Value>(source: string, schema: v.GenericSchema<string, Value>, value: string | undefined): Value | null {
  if (value === undefined) return null;
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new DeployError(`${source} ${parsed.issues[0].message}, not ${JSON.stringify(value)}.\n${USAGE}`);
}

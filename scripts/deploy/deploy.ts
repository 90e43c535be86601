/** A deployment, from what is asked for to what is printed. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { readDeployment } from '../local/deployment.ts';
import { deploymentFile } from '../local/paths.ts';
import { AdminTokenFile, planAdminToken } from './admin-token.ts';
import { CloudflareApi, CloudflareError, type Credentials } from './cloudflare-api.ts';
import { DeployConfig } from './config.ts';
import { DeployError } from './deploy-error.ts';
import { type Facts, readFacts } from './facts.ts';
import { type Health, waitUntilHealthy } from './health.ts';
import { namesOf } from './names.ts';
import type { DeployOptions } from './options.ts';
import { addressOf, describeOutcome, stepLine } from './report.ts';
import { planSchema, type Schema } from './schema.ts';
import { type Deployment, type Step, stepsOf } from './steps.ts';
import { findCredentials, type RunWrangler } from './wrangler.ts';

/** What a deployment needs of the outside. */
export interface DeployContext {
  readonly env: NodeJS.ProcessEnv;
  readonly run: RunWrangler;
  /** Where what is built is. */
  readonly dist: string;
  /** Where admin tokens are kept until they are shown. */
  readonly stateDir: string;
  print(line: string): void;
  /** Shows what takes a while, until the next line is printed. */
  progress(line: string): void;
  build(): Promise<void>;
  /** Has the operator sign in to Cloudflare. @returns false if there is nobody to do that */
  signIn(): Promise<boolean>;
  /** @returns null if there is nobody to answer */
  ask(question: string, suggestion: string): Promise<string | null>;
}

const NOT_SIGNED_IN =
  'Not signed in to Cloudflare. In a terminal: npx wrangler login. In CI: set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID (docs/deploy.md says which permissions the token needs).';

/** @throws DeployError when it can't continue */
export async function deploy(options: DeployOptions, context: DeployContext): Promise<void> {
  const credentials = await signedIn(options, context);
  if (options.build) {
    context.progress(stepLine('build', 'build the Worker, the dashboard and the wrapper …'));
    await context.build();
  }
  const built = await readBuilt(context.dist);
  if (options.dryRun) context.print('Dry run: nothing is changed.\n');
  if (credentials === null) {
    for (const line of unknownSteps(options, built.config)) context.print(line);
    return;
  }
  const api = new CloudflareApi(credentials, context.env);
  const facts = await readFacts(api, options, built.config, context.env);
  const deployment = await prepare(options, context, built, api, facts);
  if (options.dryRun) {
    showSteps(deployment, context);
    return;
  }
  for (const step of stepsOf(deployment)) {
    if (step.kind === 'change') context.progress(stepLine(step.label, `${step.would} …`));
    context.print(stepLine(step.label, step.kind === 'is' ? step.text : await made(step)));
  }
  await finish(deployment, context);
}

async function made(step: Step & { readonly kind: 'change' }): Promise<string> {
  try {
    return await step.make();
  } catch (error) {
    if (!(error instanceof DeployError || error instanceof CloudflareError)) throw error;
    throw new DeployError(`${error.message}\n\nTo continue here, run it again.`);
  }
}

function showSteps(deployment: Deployment, { print }: DeployContext): void {
  for (const step of stepsOf(deployment)) {
    print(stepLine(step.label, step.kind === 'is' ? step.text : `would ${step.would}`));
  }
  const address = addressOf(deployment.facts.names.worker, deployment.found);
  print(stepLine('address', address ?? 'known once the subdomain is registered'));
}

async function signedIn(options: DeployOptions, { env, run, signIn }: DeployContext): Promise<Credentials | null> {
  const credentials = await findCredentials(env, run);
  if (credentials !== null || options.dryRun) return credentials;
  const later = (await signIn()) ? await findCredentials(env, run) : null;
  if (later === null) throw new DeployError(NOT_SIGNED_IN);
  return later;
}

interface Built extends Schema {
  readonly config: DeployConfig;
}

async function readBuilt(dist: string): Promise<Built> {
  if (!existsSync(deploymentFile(dist))) throw new DeployError('Nothing is built yet: run `npm run build` first.');
  const { config, migrations, schema } = await readDeployment(deploymentFile(dist));
  const parsed = v.safeParse(DeployConfig, config);
  if (parsed.success) return { config: parsed.output, migrations, schema };
  const { message, path } = parsed.issues[0];
  throw new DeployError(`wrangler.toml: ${path?.map(({ key }) => String(key)).join('.') ?? ''}: ${message}`);
}

async function prepare(
  options: DeployOptions,
  context: DeployContext,
  { config, ...schema }: Built,
  api: CloudflareApi,
  facts: Facts,
): Promise<Deployment> {
  const { account, names, hasAdminToken, database, subdomain, domains } = facts;
  const adminTokenFile = new AdminTokenFile(join(context.stateDir, account.id, names.worker));
  const pending = await adminTokenFile.pending();
  return {
    api,
    options,
    config,
    facts,
    schemaUpdate: planSchema(schema, facts.schema, database?.name ?? names.database),
    adminToken: planAdminToken({ hasAdminToken, isNewWanted: options.newAdminToken, pending, env: context.env }),
    adminTokenFile,
    run: (args) => context.run(args, { CLOUDFLARE_ACCOUNT_ID: account.id }),
    dist: context.dist,
    chooseSubdomain: () => chooseSubdomain(account.id, context),
    found: { database, subdomain, domains, madeSecret: null },
  };
}

async function chooseSubdomain(accountId: string, { ask }: DeployContext): Promise<string> {
  const suggestion = `leash-${createHash('sha256').update(accountId).digest('hex').slice(0, 6)}`;
  const question =
    'The account has no workers.dev subdomain yet. It is part of the address of each of its Workers. Name';
  const answer = await ask(question, suggestion);
  if (answer !== null) return answer;
  throw new DeployError(
    `The account has no workers.dev subdomain yet, which is part of the address of each of its Workers. Choose one: npm run deploy -- --subdomain ${suggestion}`,
  );
}

/** What a dry run can say without an account. */
function unknownSteps(options: DeployOptions, config: DeployConfig): string[] {
  const names = namesOf(config, options.name, null);
  return [
    stepLine('account', 'not known: not signed in to Cloudflare, so this shows a first deployment'),
    stepLine('database', `would find or create the D1 database ${names.database}`),
    stepLine('schema', 'would apply what the database lacks of it'),
    ...(options.bucket ? [stepLine('bucket', `would find or create the R2 bucket ${names.bucket}`)] : []),
    stepLine('admin token', 'would create one, unless the Worker has one, and show it once'),
    stepLine('Worker', `would upload ${names.worker}, with the dashboard and the wrapper`),
    ...(options.domain === null ? [] : [stepLine('domain', `would serve it at ${options.domain}, too`)]),
    stepLine(
      'address',
      options.domain === null ? `https://${names.worker}.YOUR-SUBDOMAIN.workers.dev` : `https://${options.domain}`,
    ),
    '\nSign in to see what your account has already: npx wrangler login',
  ];
}

async function finish(deployment: Deployment, { print, progress }: DeployContext): Promise<void> {
  const { options, facts, found, adminTokenFile } = deployment;
  const address = addressOf(facts.names.worker, found);
  if (address === null) throw new Error('the subdomain is registered before the upload');
  if (options.wait) progress(stepLine('address', `${address}, wait for its first response …`));
  const health: Health = options.wait ? await waitUntilHealthy(address) : { kind: 'unasked' };
  print(describeOutcome({ address, isFirst: facts.deployed === null, secret: found.madeSecret, health }));
  await adminTokenFile.shown();
  if (health.kind === 'unhealthy') {
    throw new DeployError(`The control plane is deployed, but it is not healthy: ${health.detail}`);
  }
}

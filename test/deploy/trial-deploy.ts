/** Deployments to the fake of Cloudflare's API, in this process. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterEach, beforeEach } from 'vitest';
import { type DeployContext, deploy } from '../../scripts/deploy/deploy.ts';
import { readOptions } from '../../scripts/deploy/options.ts';
import type { RunWrangler } from '../../scripts/deploy/wrangler.ts';
import { type Deployment, readDeployment } from '../../scripts/local/deployment.ts';
import { DIST, deploymentFile } from '../../scripts/local/paths.ts';
import { FakeCloudflare } from './fake-cloudflare.ts';

export interface Trial {
  readonly cloudflare: FakeCloudflare;
  /** Where what is built is: only what the deployment itself reads. */
  readonly dist: string;
  readonly built: Deployment;
  /** Deploys with these flags. @returns what it printed */
  deploy(flags?: readonly string[], context?: Partial<DeployContext>): Promise<string>;
  /** Deploys something else than what is built. */
  rebuild(built: Deployment): Promise<void>;
}

/** A fresh account for each test. */
export function useTrial(): Trial {
  let directory: string;
  let cloudflare: FakeCloudflare;
  let built: Deployment;
  const rebuild = async (next: Deployment) => {
    await writeFile(deploymentFile(directory), JSON.stringify(next));
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'leash-deploy-'));
    cloudflare = new FakeCloudflare();
    await cloudflare.start();
    built = await readDeployment(deploymentFile(DIST));
    await mkdir(directory, { recursive: true });
    await rebuild(built);
  });
  afterEach(async () => {
    await cloudflare.stop();
    await rm(directory, { recursive: true });
  });
  return {
    get cloudflare() {
      return cloudflare;
    },
    get dist() {
      return directory;
    },
    get built() {
      return built;
    },
    rebuild,
    deploy: async (flags = [], changes = {}) => {
      let printed = '';
      const env = { ...cloudflare.env, ...changes.env };
      const context: DeployContext = {
        run: fakeWrangler(cloudflare.env),
        dist: directory,
        stateDir: join(directory, 'state'),
        print: (line) => {
          printed += `${line}\n`;
        },
        progress: () => undefined,
        build: async () => undefined,
        signIn: async () => false,
        ask: async () => null,
        ...changes,
        env,
      };
      const options = readOptions([...flags, '--no-wait'], env);
      if (options === 'help') throw new Error('a deployment is not asked for help');
      await deploy(options, context);
      return printed;
    },
  };
}

/** The admin token in what was printed, if it was shown. */
export function shownToken(printed: string): string | null {
  return /^ {2}(leash_admin_\S+)$/m.exec(printed)?.[1] ?? null;
}

const Derived = v.looseObject({
  name: v.string(),
  account_id: v.string(),
  secrets: v.object({ required: v.array(v.string()) }),
  d1_databases: v.array(v.looseObject({ binding: v.string(), database_id: v.string() })),
  r2_buckets: v.array(v.looseObject({ binding: v.string(), bucket_name: v.string() })),
  durable_objects: v.object({ bindings: v.array(v.object({ name: v.string(), class_name: v.string() })) }),
  ratelimits: v.array(v.looseObject({ name: v.string(), namespace_id: v.string() })),
  vars: v.record(v.string(), v.string()),
  observability: v.unknown(),
});

/** Does what wrangler does with the Worker's upload, without starting it. Nobody is signed in by it. */
function fakeWrangler(env: Record<string, string>): RunWrangler {
  return async (args) => {
    if (args[0] !== 'deploy') return { status: 1, stdout: '', output: '' };
    const argument = (flag: string) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
    const config = v.parse(Derived, JSON.parse(await readFile(argument('--config') ?? '', 'utf8')));
    const secretsFile = argument('--secrets-file');
    const secrets: Record<string, string> =
      secretsFile === undefined ? {} : JSON.parse(await readFile(secretsFile, 'utf8'));
    const scripts = `${env.CLOUDFLARE_API_BASE_URL}/accounts/${config.account_id}/workers/scripts/${config.name}`;
    const headers = { Authorization: `Bearer ${env.CLOUDFLARE_API_TOKEN}` };
    const isThere = (await fetch(`${scripts}/secrets`, { headers })).ok;
    const missing = config.secrets.required.filter((name) => !(name in secrets));
    if (missing.length > 0 && !isThere) return failed(`The following required secrets have not been set: ${missing}`);
    const form = new FormData();
    form.set(
      'metadata',
      JSON.stringify({ bindings: bindingsOf(config, secrets, missing), observability: config.observability }),
    );
    const response = await fetch(scripts, { method: 'PUT', headers, body: form }).catch(() => null);
    return response?.ok === true
      ? { status: 0, stdout: '', output: '' }
      : failed((await response?.text()) ?? 'socket hang up');
  };
}

function failed(output: string) {
  return { status: 1, stdout: '', output };
}

function bindingsOf(
  config: v.InferOutput<typeof Derived>,
  secrets: Record<string, string>,
  missing: readonly string[],
) {
  return [
    ...config.d1_databases.map(({ binding, database_id }) => ({ type: 'd1', name: binding, id: database_id })),
    ...config.r2_buckets.map(({ binding, ...bucket }) => ({ type: 'r2_bucket', name: binding, ...bucket })),
    ...config.durable_objects.bindings.map((binding) => ({ type: 'durable_object_namespace', ...binding })),
    ...config.ratelimits.map((limit) => ({ type: 'ratelimit', ...limit })),
    ...Object.entries(config.vars).map(([name, text]) => ({ type: 'plain_text', name, text })),
    ...Object.entries(secrets).map(([name, text]) => ({ type: 'secret_text', name, text })),
    ...missing.map((name) => ({ type: 'inherit', name })),
  ];
}

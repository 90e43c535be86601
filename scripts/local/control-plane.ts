/**
 * The control plane on the embedded local runtime: the built Worker, its objects, D1 and the page, as wrangler.toml
 * describes them, with everything it stores under one directory.
 */
import './offline.ts';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare';
import { type Deployment, readDeployment } from './deployment.ts';
import { applyMigrations, isSchemaNoted, noteSchema } from './migrations.ts';
import { DIST, deploymentFile, ROOT, workerBundle } from './paths.ts';
import { describePortError } from './port-error.ts';
import { StartError } from './start-error.ts';
import { lockState, type StateLock } from './state-lock.ts';
import { type OtherBuild, twoBuilds } from './two-builds.ts';

export interface ControlPlaneOptions {
  /** 0 for any free one. */
  readonly port: number;
  /** The address to listen on; loopback by default. */
  readonly host?: string;
  /** The origin that clients use, where a reverse proxy passes their requests on. */
  readonly publicUrl?: string;
  /** Where everything that is stored is kept. */
  readonly stateDir: string;
  readonly adminToken: string;
  /** In place of the values that wrangler.toml has under [vars]. */
  readonly vars?: Readonly<Record<string, string>>;
  /** A module that is run in place of the built Worker, and may import it. */
  readonly entry?: string;
  /** Where the Worker and its deployment.json are built, unless that is dist/. */
  readonly dist?: string;
  /** Where the page's files are, unless that is what wrangler.toml says. */
  readonly assetsDirectory?: string;
  /** Another build of the Worker, which runs parts of this control plane. */
  readonly otherBuild?: OtherBuild;
  /** Where debuggers find the Worker. Without it there is nothing to be found. */
  readonly inspectorPort?: number;
}

export interface ControlPlane {
  /** Without a slash at the end. */
  readonly url: string;
  /** What the Cron Trigger does each minute; here also at once. */
  sweep(): Promise<void>;
  /** Runs one statement on D1, as an operator with the database's console would. */
  query(sql: string, bindings: readonly (string | number | null)[]): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const CRON_INTERVAL_MS = 60_000;

/** Starts the control plane, with the database's schema up to date. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dist = DIST } = options;
  if (!existsSync(deploymentFile(dist)) || !existsSync(workerBundle(dist)))
    throw new StartError('Nothing is built yet: run `npm run build` first.');
  const lock = lockState(options.stateDir);
  try {
    return await startLocked(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLocked(options: ControlPlaneOptions, lock: StateLock): Promise<ControlPlane> {
  const { dist = DIST, host = LOOPBACK } = options;
  await assertPortIsFree(options.port, host);
  const deployment = await readDeployment(deploymentFile(dist));
  const resources = join(options.stateDir, 'resources');
  // The runtime opens its port before anyone can reach its database. A port that it chooses itself is known to nobody.
  if (options.port !== 0 && !(await isSchemaNoted(resources, deployment.migrations))) {
    await migrateUnreached(resources, deployment);
  }
  const runtime = createRuntime(options, deployment);
  try {
    const url = await runtime.ready;
    const db = await runtime.getD1Database('DB');
    await applyMigrations(db, deployment.migrations);
    await noteSchema(resources, deployment.migrations);
    const worker = await runtime.getWorker();
    const sweep = async () => {
      await worker.scheduled({ cron: '* * * * *' });
    };
    // The local runtime never fires a Cron Trigger by itself.
    const cron = setInterval(
      () => sweep().catch((error: unknown) => console.error('the sweep failed', error)),
      CRON_INTERVAL_MS,
    );
    return {
      // What listens on all addresses is reached on this one, too.
      url: `http://${host === '0.0.0.0' || host === '::' ? LOOPBACK : url.hostname}:${url.port}`,
      sweep,
      query: async (sql, bindings) => {
        const { results } = await db
          .prepare(sql)
          .bind(...bindings)
          .all();
        return results;
      },
      stop: async () => {
        clearInterval(cron);
        await runtime.dispose();
        lock.release();
      },
    };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}

const OF_DATABASE: ReadonlySet<string> = new Set(['compatibilityDate', 'd1Databases']);

/** Brings the schema up to date by a runtime of its own, in which there is nothing but the database. */
async function migrateUnreached(resources: string, { workerOptions, migrations }: Deployment): Promise<void> {
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      ...Object.fromEntries(Object.entries(workerOptions).filter(([name]) => OF_DATABASE.has(name))),
      modulesRoot: ROOT,
      modules: [{ type: 'ESModule', path: join(ROOT, 'nothing.js'), contents: 'export default {};' }],
      host: LOOPBACK,
      port: 0,
      resourcePersistencePath: resources,
      log: new Log(LogLevel.WARN),
    }),
  );
  try {
    await applyMigrations(await runtime.getD1Database('DB'), migrations);
  } finally {
    await runtime.dispose();
  }
}

function createRuntime(options: ControlPlaneOptions, deployment: Deployment): Miniflare {
  return new Miniflare(
    convertV4MiniflareOptions({
      ...scriptOptions(options, deployment),
      host: options.host ?? LOOPBACK,
      port: options.port,
      // The Worker compares a browser's Origin with it, and marks cookies Secure if it is https.
      ...(options.publicUrl === undefined ? {} : { upstream: options.publicUrl }),
      // Through the proxy a debugger sees the Worker alone, and not the runtime's own as well.
      ...(options.inspectorPort === undefined
        ? {}
        : { inspectorPort: options.inspectorPort, unsafeInspectorProxy: true }),
      // The one setting that persists D1 and the objects alike.
      resourcePersistencePath: join(options.stateDir, 'resources'),
      logRequests: false,
      log: new Log(LogLevel.WARN),
    }),
  );
}

/**
 * Where alerts go out, unless private addresses are allowed: the runtime looks at the address that a name leads to when it
 * connects. Its usual way out, which miniflare opens to all addresses, would take a name that leads into the network here.
 */
const PUBLIC_NETWORK = { network: { allow: ['public'], tlsOptions: { trustBrowserCas: true } } };

type ScriptOptions = Deployment['workerOptions'] & { readonly name?: string; readonly modules: SourceModule[] };
type SourceModule = { readonly type: 'ESModule'; readonly path: string };

/** What the runtime has to know of the Worker, or of both builds of it. */
function scriptOptions(
  options: ControlPlaneOptions,
  { workerOptions }: Deployment,
): ScriptOptions | { readonly workers: ScriptOptions[] } {
  const bundle = workerBundle(options.dist ?? DIST);
  const own = withAssetsOf(options.assetsDirectory, workerOptions);
  const script = (build: Deployment['workerOptions'], modulesRoot: string, ...paths: string[]) => ({
    ...build,
    rootPath: ROOT,
    serviceBindings: Object.assign({}, build.serviceBindings, { PUBLIC_NETWORK }),
    bindings: Object.assign({}, build.bindings, options.vars, {
      LEASH_ADMIN_TOKEN: options.adminToken,
      // The runtime refuses jurisdictions: everything is on this machine.
      LEASH_JURISDICTION: '',
    }),
    modulesRoot,
    modules: paths.map((path) => ({ type: 'ESModule' as const, path })),
  });
  const { otherBuild, entry } = options;
  if (otherBuild !== undefined) {
    const workers = twoBuilds(own, otherBuild).map(({ name, isOther, options: build }) => {
      const path = isOther ? otherBuild.bundle : bundle;
      return { ...script(build, dirname(path), path), name };
    });
    return { workers };
  }
  return entry === undefined ? script(own, dirname(bundle), bundle) : script(own, ROOT, entry, bundle);
}

function withAssetsOf(directory: string | undefined, own: Deployment['workerOptions']): Deployment['workerOptions'] {
  return directory === undefined ? own : { ...own, assets: Object.assign({}, own.assets, { directory }) };
}

/** The runtime's own words for a taken port name neither the port nor a way out. */
function assertPortIsFree(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new StartError(describePortError(port, error, 'npm start')));
    });
    server.listen(port, host, () => server.close(() => resolve()));
  });
}

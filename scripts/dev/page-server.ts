/** The page from its sources, with live reload, on the same origin as the API: what isn't the page's goes to the control plane. */
import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import {
  createLogger,
  createServer as createViteServer,
  type Logger,
  type ProxyOptions,
  type ViteDevServer,
} from 'vite';
import { readDeployment } from '../local/deployment.ts';
import { DEV_DIST, deploymentFile, ROOT } from '../local/paths.ts';
import { describePortError } from '../local/port-error.ts';
import { StartError } from '../local/start-error.ts';
import { DEV_ASSETS } from './dev-build.ts';
import type { DevControlPlane } from './dev-control-plane.ts';

export interface PageServer {
  readonly url: string;
  /** Calls back with the path of each file below these paths that is changed, added or removed. */
  watch(paths: readonly string[], changed: (path: string) => void): void;
  close(): Promise<void>;
}

/** @throws StartError when the port can't be listened on */
export async function servePage(port: number, controlPlane: DevControlPlane): Promise<PageServer> {
  // A server of our own: Vite would end the process at SIGTERM, before the control plane is stopped.
  const server = createServer();
  await listen(server, port);
  const vite = await createViteServer({
    configFile: join(ROOT, 'dashboard', 'vite.config.ts'),
    customLogger: quietLogger(),
    clearScreen: false,
    server: { middlewareMode: { server }, hmr: { server }, proxy: await proxyTo(controlPlane) },
    plugins: [{ name: 'leash-program', configureServer: serveProgram }],
  });
  server.on('request', vite.middlewares);
  return {
    url: `http://127.0.0.1:${port}`,
    watch: (paths, changed) => {
      vite.watcher.add(paths.map((path) => join(ROOT, path)));
      vite.watcher.on('all', (_event, path) => changed(path));
    },
    close: async () => {
      await vite.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * What the Worker answers before the page does goes to the control plane. With the Host that the browser sent: the API
 * takes a cookie only from its own origin.
 */
async function proxyTo(controlPlane: DevControlPlane): Promise<Record<string, ProxyOptions>> {
  const { workerFirst } = await readDeployment(deploymentFile(DEV_DIST));
  const options: ProxyOptions = {
    target: controlPlane.url,
    ws: true,
    changeOrigin: false,
    // A call that comes while the control plane restarts waits for it.
    bypass: () => controlPlane.settled(),
  };
  return Object.fromEntries(workerFirst.map((path) => [proxyPattern(path), options]));
}

/** `/api/*` of wrangler.toml is `^/api/` to Vite, `/metrics` is that path alone. */
function proxyPattern(path: string): string {
  const escaped = path.replace(/\*$/, '').replaceAll('.', '\\.');
  return path.endsWith('*') ? `^${escaped}` : `^${escaped}(\\?|$)`;
}

function serveProgram({ middlewares }: ViteDevServer): void {
  const types = { '/leash.cjs': 'text/javascript', '/leash.cjs.sha256': 'text/plain' };
  for (const [path, type] of Object.entries(types)) {
    middlewares.use(path, (_request, response, next) => {
      response.setHeader('Content-Type', type);
      createReadStream(join(DEV_ASSETS, path)).once('error', next).pipe(response);
    });
  }
}

/** Warnings and errors; but a link that breaks because the control plane restarts is no news. */
function quietLogger(): Logger {
  const logger = createLogger('warn');
  const { error } = logger;
  logger.error = (message, options) => {
    if (!/ws proxy|http proxy error/.test(message)) error(message, options);
  };
  return logger;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new StartError(describePortError(port, error, 'npm run dev'))));
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** A control plane that is restarted, where it was and with what it had stored, whenever it is built again. */
import { createServer } from 'node:net';
import { type ControlPlaneChild, spawnControlPlane } from '../local/control-plane-child.ts';
import { DEV_DIST } from '../local/paths.ts';
import { DEV_ASSETS } from './dev-build.ts';

/** Where debuggers look by themselves. */
const INSPECTOR_PORT = 9229;

export interface DevControlPlaneOptions {
  readonly stateDir: string;
  readonly adminToken: string;
}

export class DevControlPlane {
  readonly inspectorPort: number;
  readonly port: number;
  readonly #options: DevControlPlaneOptions;
  #child: ControlPlaneChild | null = null;
  #starting: Promise<void> = Promise.resolve();

  private constructor(options: DevControlPlaneOptions, port: number, inspectorPort: number) {
    this.#options = options;
    this.port = port;
    this.inspectorPort = inspectorPort;
  }

  static async start(options: DevControlPlaneOptions): Promise<DevControlPlane> {
    const [port, inspectorPort] = [await findPort(0), await findPort(INSPECTOR_PORT)];
    const controlPlane = new DevControlPlane(options, port, inspectorPort);
    await controlPlane.restart();
    return controlPlane;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Resolves when no restart is under way, whatever came of it. */
  async settled(): Promise<void> {
    await this.#starting.catch(() => undefined);
  }

  /** Stops it if it runs, and starts what is built now. */
  restart(): Promise<void> {
    this.#starting = this.#restart();
    return this.#starting;
  }

  async close(): Promise<void> {
    await this.settled();
    const child = this.#child;
    this.#child = null;
    await child?.stop();
  }

  async #restart(): Promise<void> {
    const before = this.#child;
    this.#child = null;
    await before?.stop();
    const child = await spawnControlPlane({
      ...this.#options,
      port: this.port,
      inspectorPort: this.inspectorPort,
      dist: DEV_DIST,
      assetsDirectory: DEV_ASSETS,
    });
    this.#child = child;
    void child.ended.then(() => {
      // Neither stopped nor restarted: by itself.
      if (this.#child !== child) return;
      this.#child = null;
      console.error('The control plane ended unexpectedly: see above. It restarts after the next change.');
    });
  }
}

/** The wanted port if it is free, else any. */
function findPort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (wanted === 0) reject(error);
      else resolve(findPort(0));
    });
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}

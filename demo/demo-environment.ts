/**
 * What the demo runs on: a control plane with an empty database on a free port, a token for machines, one for the
 * operator, and the wrappers. Everything it starts or writes is gone after `clear`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../scripts/local/api-client.ts';
import { type ControlPlaneChild, spawnControlPlane } from '../scripts/local/control-plane-child.ts';
import { type WrapperOptions, WrapperProcess } from '../scripts/local/wrapper-process.ts';

/**
 * Short deadlines, for a reader's patience. In production a machine has half a minute to reconnect; these keep the same
 * proportions. Nothing else differs from a deployment.
 */
const SHORT_DEADLINES = {
  HEARTBEAT_MS: '500',
  WRAPPER_SILENCE_MS: '1500',
  RECONNECT_CAP_MS: '1000',
  SILENCE_MS: '3000',
  PROBE_MS: '1000',
  DISCONNECT_MS: '3000',
  KILL_ANSWER_MS: '1000',
  INDEX_DELAY_MS: '100',
};

export type Command = Pick<WrapperOptions, 'job' | 'machine' | 'command' | 'flags'>;

export class DemoEnvironment {
  readonly url: string;
  /** May read and kill: what an operator holds. */
  readonly operatorToken: string;
  readonly operator: ApiClient;
  /** Resolves when the control plane has ended by itself. */
  readonly ended: Promise<void>;
  readonly #controlPlane: ControlPlaneChild;
  /** May run: what a machine holds. */
  readonly #machineToken: string;
  readonly #directory: string;
  readonly #log: string[];
  readonly #wrappers = new Set<WrapperProcess>();
  #cleared = false;

  private constructor(
    controlPlane: ControlPlaneChild,
    directory: string,
    log: string[],
    tokens: { readonly machine: string; readonly operator: string },
  ) {
    this.url = controlPlane.url;
    this.ended = controlPlane.ended;
    this.operatorToken = tokens.operator;
    this.operator = new ApiClient(controlPlane.url, tokens.operator);
    this.#controlPlane = controlPlane;
    this.#machineToken = tokens.machine;
    this.#directory = directory;
    this.#log = log;
  }

  static async create(): Promise<DemoEnvironment> {
    const directory = await mkdtemp(join(tmpdir(), 'leash-demo-'));
    const log: string[] = [];
    let controlPlane: ControlPlaneChild | null = null;
    try {
      const adminToken = randomBytes(24).toString('base64url');
      controlPlane = await spawnControlPlane(
        { port: 0, stateDir: join(directory, 'control-plane'), adminToken, vars: SHORT_DEADLINES },
        // Printed only when something fails.
        (text) => log.push(text),
      );
      const admin = new ApiClient(controlPlane.url, adminToken);
      const machine = await admin.createToken({ name: 'machines', scopes: ['run'] });
      const operator = await admin.createToken({ name: 'operator', scopes: ['read', 'kill'] });
      return new DemoEnvironment(controlPlane, directory, log, { machine: machine.secret, operator: operator.secret });
    } catch (error) {
      await controlPlane?.stop();
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Does what a line of a crontab does on a machine. */
  run(command: Command): WrapperProcess {
    if (this.#cleared) throw new Error('the demo is over');
    const wrapper = new WrapperProcess({
      ...command,
      url: this.url,
      token: this.#machineToken,
      home: this.#directory,
    });
    this.#wrappers.add(wrapper);
    return wrapper;
  }

  /** What the control plane has logged. */
  get log(): string {
    return this.#log.join('');
  }

  async clear(): Promise<void> {
    this.#cleared = true;
    await Promise.all([...this.#wrappers].map((wrapper) => wrapper.clear()));
    await this.#controlPlane.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

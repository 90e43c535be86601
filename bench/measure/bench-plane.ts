/** A control plane for one bench: the built Worker on the local runtime, with a D1 that can be disturbed. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ApiClient } from '../../scripts/local/api-client.ts';
import { type ControlPlaneChild, spawnControlPlane } from '../../scripts/local/control-plane-child.ts';
import { ROOT } from '../../scripts/local/paths.ts';
import { type WrapperOptions, WrapperProcess } from '../../scripts/local/wrapper-process.ts';
import type { Cleanup } from './cleanup.ts';
import type { D1Counts } from './d1-counts.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const ENTRY = join(ROOT, 'bench', 'measure', 'measured-worker.mjs');
/** A token may request 120 kills a minute. */
const OPERATORS = 20;
/** Machines share tokens, but not all of them one. */
const MACHINE_TOKENS = 20;

/** What every D1 call meets. */
export interface Disturbance {
  readonly delayMs?: number;
  /** `away`: it fails at once. `hanging`: it never responds. */
  readonly mode?: 'away' | 'hanging';
}

type WrapperSettings = Omit<WrapperOptions, 'url' | 'token' | 'home'>;

export class BenchPlane {
  readonly child: ControlPlaneChild;
  /** Removed with the control plane. */
  readonly directory: string;
  readonly admin: ApiClient;
  readonly machineTokens: readonly string[];
  readonly operatorToken: string;
  readonly #operators: readonly ApiClient[];
  /** The last one on each machine: whoever clears that one clears its machine. */
  readonly #wrappers = new Map<string, WrapperProcess>();
  readonly #log: WorkerLog;
  #nextOperator = 0;

  private constructor(
    child: ControlPlaneChild,
    directory: string,
    admin: ApiClient,
    secrets: { readonly machines: readonly string[]; readonly operators: readonly string[] },
    log: WorkerLog,
  ) {
    this.child = child;
    this.directory = directory;
    this.admin = admin;
    this.machineTokens = secrets.machines;
    this.operatorToken = secrets.operators[0] ?? '';
    this.#operators = secrets.operators.map((secret) => new ApiClient(child.url, secret));
    this.#log = log;
  }

  /** Starts one with nothing stored; `cleanup` ends it with everything that was started on it. */
  static async start(cleanup: Cleanup): Promise<BenchPlane> {
    const directory = await temporaryDirectory(cleanup);
    const adminToken = randomBytes(24).toString('base64url');
    const log = new WorkerLog();
    const child = await spawnControlPlane(
      { port: 0, stateDir: join(directory, 'control-plane'), adminToken, entry: ENTRY },
      (line) => log.read(line),
    );
    cleanup.add(() => child.stop());
    const admin = new ApiClient(child.url, adminToken);
    const create = async (name: string, count: number, scopes: ('run' | 'read' | 'kill')[]) => {
      const created = Array.from({ length: count }, (_, index) =>
        admin.createToken({ name: `${name}-${index}`, scopes }),
      );
      return (await Promise.all(created)).map(({ secret }) => secret);
    };
    const machines = await create('machines', MACHINE_TOKENS, ['run']);
    const operators = await create('operator', OPERATORS, ['read', 'kill']);
    const plane = new BenchPlane(child, directory, admin, { machines, operators }, log);
    cleanup.add(() => plane.clear());
    return plane;
  }

  get url(): string {
    return this.child.url;
  }

  /** One of several people, in turn. */
  get operator(): ApiClient {
    this.#nextOperator = (this.#nextOperator + 1) % this.#operators.length;
    const operator = this.#operators[this.#nextOperator];
    if (operator === undefined) throw new Error('a control plane needs an operator');
    return operator;
  }

  /** A warning or an error of the Worker, if it has logged any: a bench that prints none has measured what it should. */
  get problems(): { readonly count: number; readonly first: string } {
    return this.#log;
  }

  wrapper(settings: WrapperSettings): WrapperProcess {
    const [token = ''] = this.machineTokens;
    const wrapper = new WrapperProcess({ url: this.url, token, home: this.directory, ...settings });
    this.#wrappers.set(settings.machine, wrapper);
    return wrapper;
  }

  /** From now on, every D1 call meets this; without an argument, nothing. */
  async disturbD1(disturbance: Disturbance = {}): Promise<void> {
    await this.#d1({ method: 'PUT', body: JSON.stringify(disturbance) });
  }

  /** What D1 was asked so far. */
  async d1Counts(): Promise<D1Counts> {
    return (await this.#d1({})).json() as Promise<D1Counts>;
  }

  /** Ends all wrappers and what they have started. */
  async clear(): Promise<void> {
    const wrappers = [...this.#wrappers.values()];
    this.#wrappers.clear();
    await Promise.all(wrappers.map((wrapper) => wrapper.clear()));
  }

  async #d1(request: RequestInit): Promise<Response> {
    const response = await fetch(`${this.url}/api/bench/d1`, request);
    if (!response.ok) throw new Error(`${request.method ?? 'GET'} /api/bench/d1 returned ${response.status}`);
    return response;
  }
}

class WorkerLog {
  count = 0;
  first = '';

  read(line: string): void {
    if (!/"level":"(warn|error)"/.test(line)) return;
    this.count += 1;
    this.first ||= line.trim().slice(0, 400);
  }
}

/** A control plane, its tokens, and the wrappers and networks of one test file; all of it is removed afterwards. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kill, Run, RunEvent } from '#protocol/api';
import { MIB } from '#protocol/limits';
import { waitFor } from '#testing/wait-for';
import { ApiClient, type KillRequestBody } from '../../scripts/local/api-client.ts';
import type { ControlPlaneOptions } from '../../scripts/local/control-plane.ts';
import { type ControlPlaneChild, spawnControlPlane } from '../../scripts/local/control-plane-child.ts';
import { groupMembers } from '../../scripts/local/process-group.ts';
import { type WrapperOptions, WrapperProcess } from '../../scripts/local/wrapper-process.ts';
import { SimulatedRun, type SimulatedRunOptions } from './simulated-run.ts';
import { TcpProxy } from './tcp-proxy.ts';

/**
 * The settings for tests that aren't about deadlines: long deadlines, so that no run is declared lost because the machine
 * is busy, and few heartbeats. A wrapper that has lost its link still reconnects soon.
 */
export const CALM = {
  HEARTBEAT_MS: '20000',
  WRAPPER_SILENCE_MS: '600000',
  RECONNECT_CAP_MS: '600',
  SILENCE_MS: '600000',
  PROBE_MS: '600000',
  DISCONNECT_MS: '600000',
  KILL_ANSWER_MS: '600000',
  OUTPUT_INTERVAL_MS: '500',
  INDEX_DELAY_MS: '0',
  /** Receivers of tests are on loopback. */
  ALLOW_PRIVATE_ALERTS: 'true',
  ALERT_GROUP_MS: '100',
  /** For the test of output with a gap; all others print less. */
  RUN_OUTPUT_MAX_BYTES: String(12 * MIB),
} as const;

/**
 * For tests about deadlines, with short ones. A slow machine may miss a deadline: such tests rely only on the order of
 * events.
 */
export const SHORT_DEADLINES = {
  HEARTBEAT_MS: '500',
  WRAPPER_SILENCE_MS: '2000',
  RECONNECT_CAP_MS: '600',
  SILENCE_MS: '2500',
  PROBE_MS: '1500',
  DISCONNECT_MS: '2500',
  KILL_ANSWER_MS: '1500',
  OUTPUT_INTERVAL_MS: '500',
  INDEX_DELAY_MS: '0',
} as const;

const CALL_WAIT_SECONDS = 30;

/** With LEASH_TEST_LOG=1 it also goes to the terminal. */
class Log {
  text = '';

  readonly write = (text: string): void => {
    this.text += text;
    if (process.env.LEASH_TEST_LOG === '1') process.stderr.write(text);
  };
}

/** What a control plane runs: parts of another build of the Worker, or another build as a whole. */
export type Build = Pick<ControlPlaneOptions, 'otherBuild' | 'dist'>;

type WrapperSettings = Pick<WrapperOptions, 'job' | 'command'> &
  Partial<Pick<WrapperOptions, 'machine' | 'instance' | 'flags' | 'url' | 'token' | 'env' | 'program'>>;

export class TestEnvironment {
  controlPlane: ControlPlaneChild;
  readonly adminToken: string;
  readonly directory: string;
  readonly admin: ApiClient;
  /** May run. */
  readonly machineToken: string;
  /** May read and kill. */
  readonly operatorToken: string;
  readonly operator: ApiClient;
  #vars: Record<string, string>;
  readonly #log: Log;
  #wrappers: WrapperProcess[] = [];
  #simulatedRuns: SimulatedRun[] = [];
  #proxies: TcpProxy[] = [];

  private constructor(
    controlPlane: ControlPlaneChild,
    secrets: { admin: string; machine: string; operator: string },
    directory: string,
    vars: Record<string, string>,
    log: Log,
  ) {
    this.controlPlane = controlPlane;
    this.adminToken = secrets.admin;
    this.machineToken = secrets.machine;
    this.operatorToken = secrets.operator;
    this.directory = directory;
    this.#vars = vars;
    this.#log = log;
    this.admin = new ApiClient(controlPlane.url, secrets.admin);
    this.operator = new ApiClient(controlPlane.url, secrets.operator);
  }

  /** @param build what else than this build the control plane runs */
  static async create(vars: Record<string, string> = CALM, build: Build = {}): Promise<TestEnvironment> {
    const directory = await mkdtemp(join(tmpdir(), 'leash-test-'));
    const adminToken = randomBytes(24).toString('base64url');
    const stateDir = join(directory, 'control-plane');
    const log = new Log();
    const controlPlane = await spawnControlPlane({ port: 0, stateDir, adminToken, vars, ...build }, log.write);
    try {
      const admin = new ApiClient(controlPlane.url, adminToken);
      const machine = await admin.createToken({ name: 'machines', scopes: ['run'] });
      const operator = await admin.createToken({ name: 'operator', scopes: ['read', 'kill'] });
      const secrets = { admin: adminToken, machine: machine.secret, operator: operator.secret };
      return new TestEnvironment(controlPlane, secrets, directory, vars, log);
    } catch (error) {
      await controlPlane.stop();
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** What the control plane has logged so far. */
  get log(): string {
    return this.#log.text;
  }

  get url(): string {
    return this.controlPlane.url;
  }

  wrapper(settings: WrapperSettings): WrapperProcess {
    const wrapper = new WrapperProcess({
      url: this.url,
      token: this.machineToken,
      machine: 'm1.example.com',
      home: this.directory,
      ...settings,
    });
    this.#wrappers.push(wrapper);
    return wrapper;
  }

  /** A simulated run, on a given machine or on the shared one. */
  async simulate(
    job: string,
    options: Partial<SimulatedRunOptions> = {},
    token = this.machineToken,
  ): Promise<SimulatedRun> {
    const settings = { job, machine: 'm1.example.com', ...options };
    const run = await SimulatedRun.start(this.url, token, settings);
    this.#simulatedRuns.push(run);
    await waitFor(`${job} to be in the lists`, async () =>
      (await this.operator.runs({ job })).some(({ id }) => id === run.id),
    );
    return run;
  }

  /** Has a simulated run started and ended, after no time at all or the given one. */
  async simulateEnded(job: string, exitCode: number, machine = 'm1.example.com', durationMs = 0): Promise<void> {
    const run = await this.simulate(job, { machine, ageMs: durationMs });
    await run.end(exitCode, durationMs);
    await waitFor(`the end of ${job} to be in the lists`, async () =>
      (await this.operator.runs({ job })).some(({ id, ended_at }) => id === run.id && ended_at !== null),
    );
  }

  /** A network of its own between a wrapper and the control plane. */
  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.open(this.controlPlane.port);
    this.#proxies.push(proxy);
    return proxy;
  }

  /** SIGKILL to all of the control plane. */
  crash(): Promise<void> {
    return this.controlPlane.crash();
  }

  /** Restarts it, with this build, on the same port with the same storage, and with other settings if given. */
  async restart(vars: Record<string, string> = this.#vars): Promise<void> {
    this.#vars = vars;
    this.controlPlane = await spawnControlPlane(
      {
        port: this.controlPlane.port,
        stateDir: join(this.directory, 'control-plane'),
        adminToken: this.adminToken,
        vars,
      },
      this.#log.write,
    );
  }

  /** The newest run of a job (on a machine), once there is one in which `holds` is true. */
  runOf(job: string, holds: (run: Run) => boolean = () => true, machine?: string): Promise<Run> {
    return waitFor(`a run of ${job}${machine === undefined ? '' : ` on ${machine}`} as wanted`, async () => {
      const runs = await this.operator.runs({ job, ...(machine === undefined ? {} : { machine }) });
      const [newest] = runs;
      if (newest === undefined) return null;
      // Lists may lag behind; the job's object knows.
      const run = await this.operator.run(newest.id);
      return holds(run) ? run : null;
    });
  }

  /** The run, once `holds` is true of it. */
  run(id: string, holds: (run: Run) => boolean, what: string): Promise<Run> {
    return waitFor(what, async () => {
      const run = await this.operator.run(id);
      return holds(run) ? run : null;
    });
  }

  event(run: string, holds: (event: RunEvent) => boolean, what: string): Promise<RunEvent> {
    return waitFor(what, async () => (await this.operator.events(run)).find(holds));
  }

  /** Requests a kill, and waits until it is settled. */
  async kill(job: string, body: KillRequestBody = {}): Promise<Kill> {
    const { kill } = await this.operator.kill(job, body, CALL_WAIT_SECONDS);
    return kill.state === 'settled' ? kill : this.settled(kill.id);
  }

  /** The kill, once it is settled, which may take a slow machine longer than one call can wait. */
  settled(id: string): Promise<Kill> {
    return waitFor(`the kill ${id} to be settled`, async () => {
      const kill = await this.operator.getKill(id, CALL_WAIT_SECONDS);
      return kill.state === 'settled' ? kill : null;
    });
  }

  /** Waits until a text has been stored as output of the run. */
  output(run: string, text: string): Promise<string> {
    return waitFor(`the output ${JSON.stringify(text)}`, async () => {
      const output = await this.operator.output(run);
      return output.text.includes(text) ? output.text : null;
    });
  }

  /** Whether its control plane is gone: a test has crashed it and not restarted it. */
  get isOver(): boolean {
    return groupMembers(this.controlPlane.group).length === 0;
  }

  /** Ends the wrappers and the networks, so that no client talks to the control plane any more. */
  async clear(): Promise<void> {
    const [wrappers, proxies] = [this.#wrappers, this.#proxies];
    this.#wrappers = [];
    this.#proxies = [];
    for (const run of this.#simulatedRuns.splice(0)) run.close();
    await Promise.all(wrappers.map((wrapper) => wrapper.clear()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }

  async dispose(): Promise<void> {
    await this.clear();
    await this.controlPlane.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The names of a run's events; a kill's progress by its phase. */
export function eventNames(events: readonly RunEvent[]): string[] {
  return events.map((event) => (event.type === 'kill_progress' ? event.phase : event.type));
}

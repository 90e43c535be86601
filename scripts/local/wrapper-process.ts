/** A real wrapper in a process of its own, as cron would start it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { waitFor } from '#testing/wait-for';
import { LEASH_PROGRAM } from './paths.ts';
import { processesWith, processTree, signalGroup, signalIfThere } from './process-group.ts';
import { nameSources } from './source-maps.ts';

export interface WrapperOptions {
  readonly url: string;
  readonly token: string;
  readonly job: string;
  readonly machine: string;
  readonly instance?: string;
  /** Further flags of `leash run`. */
  readonly flags?: readonly string[];
  readonly command: readonly string[];
  /** The program, unless it is the one in dist/. */
  readonly program?: string;
  /** Where it may leave files. */
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended: exactly one of the two is set. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const KEPT_CHARS = 64 * 1024;

export class WrapperProcess {
  readonly pid: number;
  /** What `leash run` itself exits with. */
  readonly exit: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #program: string;
  readonly #stateDir: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #seen = new Set<number>();
  #printed = '';

  constructor(options: WrapperOptions) {
    const { url, token, job, machine, instance, flags = [], command, home, env = {} } = options;
    this.#program = options.program ?? LEASH_PROGRAM;
    // One for a machine, as in reality.
    this.#stateDir = join(home, 'machines', machine);
    this.#env = {
      PATH: process.env.PATH,
      HOME: home,
      LANG: 'C.UTF-8',
      // Neither this machine's settings nor its runs are touched.
      LEASH_CONFIG: '/dev/null',
      LEASH_STATE_DIR: this.#stateDir,
      LEASH_URL: url,
      LEASH_TOKEN: token,
      ...env,
    };
    const names = ['--job', job, '--machine', machine, ...(instance === undefined ? [] : ['--instance', instance])];
    this.#child = spawn(process.execPath, [this.#program, 'run', ...names, ...flags, '--', ...command], {
      // Like a cron job: no terminal, and no Ctrl-C of ours.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#env,
    });
    if (this.#child.pid === undefined) throw new Error('the wrapper could not be started');
    this.pid = this.#child.pid;
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (chunk) => this.#keep(chunk));
    this.exit = new Promise((resolve) => this.#child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /** What it has printed so far, or the last of it. */
  get printed(): string {
    return nameSources(this.#printed);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Runs another `leash …` on the same machine, to its end. */
  async leash(...args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> {
    const child = spawn(process.execPath, [this.#program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: this.#env,
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout };
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** What a power cut does to the machine: the wrapper and everything that was started is gone at once. */
  losePower(): void {
    this.#killAll();
  }

  /** Ends whatever is left of it: its command, a flusher in the background. Afterwards nobody writes to its `home`. */
  async clear(): Promise<void> {
    await waitFor('an end of all that a wrapper has started', () => this.#killAll() === 0);
  }

  /** Notes what it has started so far, so that {@link clear} finds that even when it has been orphaned. */
  note(group: number): void {
    this.#seen.add(group);
  }

  /** @returns how many processes were there */
  #killAll(): number {
    const tree = this.isRunning ? processTree(this.pid) : [];
    const all = new Set([...tree, ...processesWith(`LEASH_STATE_DIR=${this.#stateDir}`)]);
    // Stopped first: none of them may see another go and act on it.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      for (const pid of all) signalIfThere(pid, signal);
      for (const group of this.#seen) signalGroup(group, signal);
    }
    return all.size;
  }

  #keep(chunk: Buffer): void {
    this.#printed = (this.#printed + chunk.toString()).slice(-KEPT_CHARS);
  }
}

/** `leash run` as a crontab's line starts it, to its end, with settings of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';
import { waitFor } from '#testing/wait-for';
import { LEASH_PROGRAM } from '../../scripts/local/paths.ts';
import { processesWith, signalIfThere } from '../../scripts/local/process-group.ts';
import type { Cleanup } from './cleanup.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Where a wrapper's output goes. */
export type Outlet = '/dev/null' | 'cat' | '--quiet';

export interface Settings {
  /** None: as without a control plane. */
  readonly url?: string;
  readonly caFile?: string;
  readonly outlet?: Outlet;
  readonly flags?: readonly string[];
  /** Starts the program by this Node.js itself, not by its launcher. */
  readonly hasLauncher?: boolean;
}

export class LeashRuns {
  readonly directory: string;
  readonly #node: string;

  private constructor(directory: string, node: string) {
    this.directory = directory;
    this.#node = node;
  }

  static async create(cleanup: Cleanup, node: string): Promise<LeashRuns> {
    const directory = await temporaryDirectory(cleanup);
    const runs = new LeashRuns(directory, node);
    cleanup.add(() => runs.endLeftovers());
    return runs;
  }

  /** Starts the command under `leash run`. */
  start(command: readonly string[], settings: Settings = {}): ChildProcess {
    const { outlet = '/dev/null', flags = [], hasLauncher = true } = settings;
    const program = hasLauncher ? ['sh', LEASH_PROGRAM] : [this.#node, LEASH_PROGRAM];
    const quiet = outlet === '--quiet' ? [outlet] : [];
    return this.#spawn([...program, 'run', '--job', 'bench', ...quiet, ...flags, '--', ...command], outlet, settings);
  }

  /** Starts the command alone. */
  startBare(command: readonly string[], outlet: Outlet = '/dev/null'): ChildProcess {
    return this.#spawn(command, outlet, {});
  }

  /** Ends whatever keeps trying to deliver what these runs have left. */
  async endLeftovers(): Promise<void> {
    await waitFor('an end of all that the runs have started', () => {
      const left = processesWith(`LEASH_STATE_DIR=${this.#stateDir}`);
      for (const pid of left) signalIfThere(pid, 'SIGKILL');
      return left.length === 0;
    });
  }

  get #stateDir(): string {
    return join(this.directory, 'state');
  }

  #spawn(argv: readonly string[], outlet: Outlet, { url, caFile }: Settings): ChildProcess {
    const script = outlet === 'cat' ? '"$@" | cat >/dev/null' : 'exec "$@"';
    const { LEASH_URL: _url, LEASH_TOKEN: _token, LEASH_TOKEN_FILE: _file, PATH, ...inherited } = process.env;
    return spawn('sh', ['-c', script, 'sh', ...argv], {
      stdio: 'ignore',
      env: {
        ...inherited,
        ...(url === undefined ? {} : { LEASH_URL: url, LEASH_TOKEN: 'bench' }),
        ...(caFile === undefined ? {} : { LEASH_CA_FILE: caFile }),
        // The launcher takes the first Node.js there.
        PATH: `${dirname(this.#node)}${delimiter}${PATH}`,
        LEASH_CONFIG: '/dev/null',
        LEASH_STATE_DIR: this.#stateDir,
      },
    });
  }
}

/** Waits for its end, which must be a success. */
export async function succeeded(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} exited with ${code ?? signal}`);
}

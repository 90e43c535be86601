/**
 * A machine to try commands on as root without changing this one: they see its files, and what they write to its system
 * directories goes to a directory of the test. Linux only, in a mount namespace; without root also in a user namespace.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { DIST } from '../../scripts/local/paths.ts';

/** What an administrator changes. */
const DIRECTORIES = ['/etc', '/usr/local', '/root', '/var/lib'];

const NAMESPACE = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];

/** Null if sandboxes work here; else why not. */
export function whyNoSandbox(): string | null {
  if (process.platform !== 'linux') return 'a sandbox requires Linux';
  const tried = spawnSync('unshare', [...NAMESPACE, 'sh', '-c', 'mount -t tmpfs none /mnt'], { encoding: 'utf8' });
  return tried.status === 0 ? null : `a sandbox requires unshare(1) and mount namespaces: ${tried.stderr}`;
}

export class MachineSandbox {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** A machine on which `leash` is installed. */
  static async create(): Promise<MachineSandbox> {
    const directory = await mkdtemp(join(tmpdir(), 'leash-machine-'));
    await Promise.all(
      DIRECTORIES.flatMap((path) => [upperOf(directory, path), workOf(directory, path)]).map(makeDirectory),
    );
    const programs = upperOf(directory, '/usr/local/bin');
    await makeDirectory(programs);
    // A copy: commands that replace or remove the program would follow a link.
    await copyFile(join(DIST, 'leash.cjs'), join(programs, 'leash'));
    return new MachineSandbox(directory);
  }

  /** Writes a file that only its owner can read. */
  async write(path: string, text: string): Promise<void> {
    await writeFile(upperOf(this.#directory, path), text, { mode: 0o600 });
  }

  /** Runs a script of bash at root's home. */
  async run(
    script: string,
    env: Readonly<Record<string, string>>,
  ): Promise<{ status: number | null; printed: string }> {
    const file = join(this.#directory, 'script');
    await writeFile(file, `cd\nset -euo pipefail\n${script}`);
    const child = spawn('unshare', [...NAMESPACE, 'sh', '-c', `${this.#mounts()} && exec bash ${file}`], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: '/root', ...env },
      timeout: WAIT_LIMIT_MS,
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
    }
    const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { status, printed };
  }

  remove(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }

  #mounts(): string {
    const overlays = DIRECTORIES.map((path) => {
      const options = `lowerdir=${path},upperdir=${upperOf(this.#directory, path)},workdir=${workOf(this.#directory, path)}`;
      return `mount -t overlay overlay -o ${options} ${path}`;
    });
    return overlays.join(' && ');
  }
}

function upperOf(directory: string, path: string): string {
  return join(directory, 'upper', path);
}

function workOf(directory: string, path: string): string {
  return join(directory, 'work', path.replaceAll('/', '-'));
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

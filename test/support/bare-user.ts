/** A user of this machine who has nothing yet: an empty home, and cron's PATH. For root, a user who isn't root. */
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { groupMembers, signalGroup } from '../../scripts/local/process-group.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

export interface Ended {
  readonly code: number | null;
  /** stdout and stderr, in the order in which they came. */
  readonly printed: string;
}

export interface BareUser {
  readonly home: string;
  /** Runs a line in `sh`, with its home as the working directory. */
  sh(line: string, options?: ShellOptions): Promise<Ended>;
  /** Starts a line, to be typed into: what is typed is its stdin. */
  start(line: string, options?: ShellOptions): Typing;
  /** Writes a file below the home that belongs to the user. */
  write(path: string, text: string, mode?: number): Promise<string>;
  /** Everything that was run so far, with what it printed. */
  readonly transcript: string;
}

export interface ShellOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly shell?: string;
}

export interface Typing {
  readonly printed: string;
  type(text: string): void;
  readonly ended: Promise<Ended>;
}

/** Read it inside of tests only. */
export function useBareUser(): () => BareUser {
  let user: HomeUser | null = null;
  beforeEach(async () => {
    user = await HomeUser.create();
  });
  afterEach(() => user?.remove());
  return () => {
    if (user === null) throw new Error('the user exists inside of tests only');
    return user;
  };
}

class HomeUser implements BareUser {
  readonly home: string;
  transcript = '';
  readonly #groups: number[] = [];

  private constructor(home: string) {
    this.home = home;
  }

  static async create(): Promise<HomeUser> {
    const home = await mkdtemp(join(tmpdir(), 'leash-home-'));
    await chmod(home, 0o755);
    if (isRoot) await chown(home, NOBODY, NOBODY);
    return new HomeUser(home);
  }

  sh(line: string, options: ShellOptions = {}): Promise<Ended> {
    return this.#spawn(line, options).ended;
  }

  start(line: string, options: ShellOptions = {}): Typing {
    return this.#spawn(line, options);
  }

  #spawn(line: string, { input, env = {}, shell = 'sh' }: ShellOptions): Typing {
    const [program = '', ...args] = [
      ...(isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []),
      ...[shell, '-c', line],
    ];
    const child = spawn(program, args, {
      cwd: this.home,
      detached: true,
      stdio: 'pipe',
      env: { HOME: this.home, LOGNAME: basename(this.home), PATH: '/usr/bin:/bin', TERM: 'dumb', ...env },
    });
    if (child.pid !== undefined) this.#groups.push(child.pid);
    let printed = '';
    const keep = (chunk: Buffer) => {
      printed += chunk.toString();
      this.transcript += chunk.toString();
    };
    this.transcript += `$ ${line}\n`;
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    // Whoever doesn't read what it is given has ended.
    child.stdin.on('error', () => undefined);
    if (input !== undefined) child.stdin.end(input);
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, printed }));
    });
    return {
      get printed() {
        return printed;
      },
      type: (text) => child.stdin.write(text),
      ended,
    };
  }

  async write(path: string, text: string, mode = 0o644): Promise<string> {
    const file = join(this.home, path);
    const created = await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode });
    if (isRoot) await Promise.all([file, ...parents(created, file)].map((each) => chown(each, NOBODY, NOBODY)));
    return file;
  }

  async remove(): Promise<void> {
    for (const group of this.#groups) {
      signalGroup(group, 'SIGKILL');
      await waitFor('the group to end', () => groupMembers(group).length === 0);
    }
    // Where the launcher remembers which Node.js it has tried.
    const known = join('/dev/shm', `leash-${basename(this.home)}`);
    await Promise.all([this.home, known].map((each) => rm(each, { recursive: true, force: true })));
  }
}

/** The directories from the first one that was created down to the file's. */
function parents(created: string | undefined, file: string): string[] {
  if (created === undefined) return [];
  const found: string[] = [];
  for (let at = dirname(file); at.length >= created.length; at = dirname(at)) found.push(at);
  return found;
}

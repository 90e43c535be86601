/** Programs as a user would start them, each test in its own directory; a test leaves nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ROOT } from '../../scripts/local/paths.ts';
import { groupMembers, signalGroup } from '../../scripts/local/process-group.ts';

export interface Programs {
  /** Where they run, and their home. Read it inside of tests only. */
  readonly directory: string;
  start(command: string, args: readonly string[], env?: Record<string, string>): Program;
}

/** For each test a new directory, and programs that are ended with it. */
export function usePrograms(): Programs {
  let directory = '';
  let started: Program[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'leash-start-'));
    started = [];
  });
  afterEach(async () => {
    await Promise.all(started.map((program) => program.end()));
    await rm(directory, { recursive: true, force: true });
  });
  return {
    get directory() {
      return directory;
    },
    start: (command, args, env = {}) => {
      const program = new Program(directory, command, args, env);
      started.push(program);
      return program;
    },
  };
}

/** A program with what it prints. */
export class Program {
  readonly pid: number;
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;
  printed = '';

  constructor(directory: string, command: string, args: readonly string[], env: Record<string, string>) {
    this.#child = spawn(command, args, {
      cwd: directory,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}`, HOME: directory, ...env },
    });
    const keep = (chunk: Buffer) => {
      this.printed += chunk.toString();
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    if (this.#child.pid === undefined) throw new Error(`${command} could not be started`);
    this.pid = this.#child.pid;
    this.exit = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(): Promise<void> {
    signalGroup(this.pid, 'SIGKILL');
    await this.exit;
    await waitFor('the program to end', () => groupMembers(this.pid).length === 0);
  }
}

/** A free port, for a program that needs one as an argument. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address');
  return address.port;
}

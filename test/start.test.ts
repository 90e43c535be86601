import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ApiClient } from '../scripts/local/api-client.ts';
import { ROOT } from '../scripts/local/paths.ts';
import { groupMembers, processTree, signalGroup } from '../scripts/local/process-group.ts';

let directory: string;
let started: Program[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leash-start-'));
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((program) => program.end()));
  await rm(directory, { recursive: true, force: true });
});

/** A program with what it prints. */
class Program {
  readonly pid: number;
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;
  printed = '';

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
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
    started.push(this);
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address');
  return address.port;
}

function startControlPlane(port: number, env: Record<string, string> = {}): Program {
  const script = join(ROOT, 'scripts', 'start.ts');
  return new Program('node', [script, '--port', String(port), '--state', 'state'], env);
}

async function greeted(program: Program): Promise<{ link: string; line: string }> {
  await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));
  const link = /http\S+\/#token=\S+/.exec(program.printed)?.[0] ?? '';
  const line = /curl .*/.exec(program.printed)?.[0] ?? '';
  return { link, line };
}

test('npm start prints a line that, pasted, runs a job on the leash; it keeps its tokens, and ends whole', async () => {
  const port = await freePort();
  const first = startControlPlane(port);
  const { link, line } = await greeted(first);
  const adminToken = link.split('#token=')[1] ?? '';
  expect(adminToken).not.toBe('');
  expect((await stat(join(directory, 'state', 'admin-token'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'state', 'run-token.json'))).mode & 0o777).toBe(0o600);

  const pasted = new Program('sh', ['-c', line]);
  expect(await pasted.exit).toBe(0);

  const api = new ApiClient(`http://127.0.0.1:${port}`, adminToken);
  const [run] = await api.runs({ job: 'hello' });
  expect(run).toMatchObject({ state: 'succeeded', exit_code: 0 });
  expect((await api.output(run?.id ?? '')).text).toMatch(/^hello 1 from .*\n(.*\n){3}hello 5 from .*\n$/);

  const tree = processTree(first.pid);
  expect(tree.length).toBeGreaterThan(1);
  first.signal('SIGINT');
  expect(await first.exit).toBe(0);
  expect(tree.flatMap((pid) => groupMembers(pid))).toEqual([]);

  const second = startControlPlane(port);
  expect(await greeted(second)).toEqual({ link, line });
  expect(await api.runs({ job: 'hello' })).toHaveLength(1);
});

test('a given admin token is used, and not shown', async () => {
  const port = await freePort();
  const program = startControlPlane(port, { LEASH_ADMIN_TOKEN: 'given-by-someone-who-took-care' });
  await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));
  expect(program.printed).not.toContain('given-by-someone-who-took-care');
  const api = new ApiClient(`http://127.0.0.1:${port}`, 'given-by-someone-who-took-care');
  expect(await api.runs()).toEqual([]);
});

test('killed with SIGKILL, it leaves nothing behind', async () => {
  const port = await freePort();
  const program = startControlPlane(port);
  await greeted(program);
  const tree = processTree(program.pid);
  program.signal('SIGKILL');
  await waitFor('the control plane to end', () => tree.flatMap((pid) => groupMembers(pid)).length === 0);
});

test('a taken port is told in words, with a way out', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    const program = startControlPlane(port);
    expect(await program.exit).toBe(1);
    expect(program.printed).toContain(`Port ${port} is taken`);
    expect(program.printed).toContain('npm start -- --port');
    expect(program.printed).not.toContain('    at ');
  } finally {
    server.close();
  }
});

test('--help says what it takes, and starts nothing', async () => {
  const program = new Program('node', [join(ROOT, 'scripts', 'start.ts'), '--help']);
  expect(await program.exit).toBe(0);
  expect(program.printed).toMatch(/^usage: npm start/);
  for (const word of ['--port N', '--state DIR', 'LEASH_ADMIN_TOKEN']) expect(program.printed).toContain(word);
});

test.each([
  [['--port', 'x'], '--port takes a number'],
  [['--prot', '1'], '--prot'],
])('%j is told to be wrong', async (args, words) => {
  const program = new Program('node', [join(ROOT, 'scripts', 'start.ts'), ...args]);
  expect(await program.exit).toBe(1);
  expect(program.printed).toContain(words);
  expect(program.printed).toContain('usage: npm start');
});

import { readFile, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { ApiClient } from '../scripts/local/api-client.ts';
import { ROOT } from '../scripts/local/paths.ts';
import { groupMembers, processTree } from '../scripts/local/process-group.ts';
import { freePort, type Program, usePrograms } from './support/programs.ts';
import { SimulatedRun } from './support/simulated-run.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';

const browser = useBrowser();

const programs = usePrograms();

function startControlPlane(port: number, env: Record<string, string> = {}): Program {
  const script = join(ROOT, 'scripts', 'start.ts');
  return programs.start('node', [script, '--port', String(port), '--state', 'state'], env);
}

/**
 * Whether somebody listens there. A free port is in the range from which the kernel takes the ports of outgoing
 * connections: dialled often enough, TCP connects to itself.
 */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      const isOwnEcho = socket.localPort === port;
      socket.destroy();
      resolve(!isOwnEcho);
    });
    socket.once('error', () => resolve(false));
  });
}

async function keptAdminToken(): Promise<string> {
  return (await readFile(join(programs.directory, 'state', 'admin-token'), 'utf8')).trim();
}

async function greeted(program: Program): Promise<{ link: string; line: string }> {
  await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));
  const link = /http\S+\/#token=\S+/.exec(program.printed)?.[0] ?? '';
  const line = /curl .*/.exec(program.printed)?.[0] ?? '';
  return { link, line };
}

test('npm start prints a line that, pasted, runs a job on the leash; it keeps its tokens, and ends whole, killed too', async () => {
  const port = await freePort();
  const first = startControlPlane(port);
  while (!(await accepts(port))) await setTimeout(5);
  // Whatever comes first finds all that it needs.
  const early = new ApiClient(`http://127.0.0.1:${port}`, await keptAdminToken());
  expect((await early.createToken({ name: 'first of all', scopes: ['read'] })).token.name).toBe('first of all');
  const { link, line } = await greeted(first);
  const adminToken = link.split('#token=')[1] ?? '';
  expect(adminToken).not.toBe('');
  expect((await stat(join(programs.directory, 'state', 'admin-token'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(programs.directory, 'state', 'run-token.json'))).mode & 0o777).toBe(0o600);

  const pasted = programs.start('sh', ['-c', line]);
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

  const secondTree = processTree(second.pid);
  second.signal('SIGKILL');
  await waitFor('all of it to end', () => secondTree.flatMap((pid) => groupMembers(pid)).length === 0);
});

test.runIf(IS_PROOF)(
  'a given admin token is used, and not shown; with nothing run yet, the page leads to a first machine',
  async () => {
    const port = await freePort();
    const adminToken = 'given-by-someone-who-took-care';
    const program = startControlPlane(port, { LEASH_ADMIN_TOKEN: adminToken });
    await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));
    expect(program.printed).not.toContain(adminToken);
    const url = `http://127.0.0.1:${port}`;
    expect(await new ApiClient(url, adminToken).runs()).toEqual([]);

    const { page } = browser;
    await signInAs(page, { url }, adminToken);
    await page.getByRole('heading', { name: 'No runs yet' }).waitFor();
    await page.getByRole('link', { name: 'Add a machine' }).click();
    await page.locator('#token-name:focus').fill('first machine');
    await page.keyboard.press('Enter');
    const token = (await page.locator('[data-secret=true]').textContent()) ?? '';

    // The page is told of the first run by itself, and the token is good for it.
    const run = await SimulatedRun.start(url, token, { job: 'first', machine: 'm1.example.com' });
    onTestFinished(() => run.close());
    await page.getByText('m1.example.com is connected').waitFor();
  },
);

test('a taken port is explained, with what to do', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    const program = startControlPlane(port);
    expect(await program.exit).toBe(1);
    expect(program.printed).toContain(`Port ${port} is already in use`);
    expect(program.printed).toContain('npm start -- --port');
    expect(program.printed).not.toContain('    at ');
  } finally {
    server.close();
  }
});

test('--help says what it takes, and starts nothing', async () => {
  const program = programs.start('node', [join(ROOT, 'scripts', 'start.ts'), '--help']);
  expect(await program.exit).toBe(0);
  expect(program.printed).toMatch(/^usage: npm start/);
  for (const word of ['--port N', '--state DIR', 'LEASH_ADMIN_TOKEN']) expect(program.printed).toContain(word);
});

test.each(
  sampleOf([
    [['--port', 'x'], '--port must be a number'],
    [['--prot', '1'], '--prot'],
  ] as const),
)('%j is told to be wrong', async (args, words) => {
  const program = programs.start('node', [join(ROOT, 'scripts', 'start.ts'), ...args]);
  expect(await program.exit).toBe(1);
  expect(program.printed).toContain(words);
  expect(program.printed).toContain('usage: npm start');
});

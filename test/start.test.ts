import { cp, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
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

const START = join(ROOT, 'scripts', 'start.ts');

function startControlPlane(port: number, env: Record<string, string> = {}, ...flags: string[]): Program {
  return programs.start('node', [START, '--port', String(port), '--state', 'state', ...flags], env);
}

/** `npm start` as package.json has it, but what is built already is not built again. */
async function startByNpm(port: number): Promise<Program> {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const start = scripts.start.replace('node scripts/build.ts', 'true').replace('scripts/start.ts', START);
  await writeFile(join(programs.directory, 'package.json'), JSON.stringify({ scripts: { start } }));
  return programs.start('npm', ['start', '--', '--port', String(port), '--state', 'state']);
}

/** What `/healthz` says; null while there is no response: the port is closed, or only tried whether it is free. */
async function health(port: number): Promise<number | null> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthz`)).status;
  } catch {
    // Refused, reset, or connected to itself, as TCP does if a free port is dialled often enough.
    return null;
  }
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

test('npm start prints a line that, pasted, runs a job on the leash; it keeps all in its directory, and ends whole, killed too', async () => {
  const port = await freePort();
  const first = await startByNpm(port);
  // Whatever comes first finds all that it needs.
  expect(await waitFor('the first response', () => health(port))).toBe(200);
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

  const refused = startControlPlane(await freePort());
  expect(await refused.exit).toBe(1);
  expect(refused.printed).toMatch(/^Leash is already running with the state directory \S+state \(process \d+\)/);

  const tree = processTree(first.pid);
  expect(tree.length).toBeGreaterThan(1);
  // As a service manager does: npm passes it on.
  first.signal('SIGTERM');
  expect(await first.exit).toBe(0);
  expect(first.printed).toContain('Stopped.');
  expect(tree.flatMap((pid) => groupMembers(pid))).toEqual([]);

  // A backup is a copy of the directory, and has all of it.
  await rename(join(programs.directory, 'state'), join(programs.directory, 'gone'));
  await cp(join(programs.directory, 'gone'), join(programs.directory, 'state'), { recursive: true });
  const second = startControlPlane(port);
  expect(await greeted(second)).toEqual({ link, line });
  expect((await api.output(run?.id ?? '')).text).toMatch(/hello 5/);
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

test.runIf(IS_PROOF)('behind a reverse proxy, browsers sign in at its address, and no token is printed', async () => {
  const port = await freePort();
  const url = 'https://leash.example.com';
  const program = startControlPlane(port, {}, '--url', url, '--host', '0.0.0.0', '--hide-tokens');
  await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));
  expect(program.printed).toContain(url);
  const token = await keptAdminToken();
  expect(program.printed).not.toContain(token);
  expect(program.printed).not.toMatch(/LEASH_TOKEN/);
  const signIn = (origin: string) =>
    fetch(`http://127.0.0.1:${port}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin },
      body: JSON.stringify({ token }),
    });
  const response = await signIn(url);
  expect(response.status).toBe(200);
  expect(response.headers.get('set-cookie')).toMatch(/^__Host-leash=.*; Secure/);
  expect((await signIn(`http://127.0.0.1:${port}`)).status).toBe(403);
});

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
  for (const word of ['--port N', '--state DIR', '--host ADDRESS', '--url URL', 'LEASH_ADMIN_TOKEN'])
    expect(program.printed).toContain(word);
});

test.each(
  sampleOf([
    [['--port', 'x'], '--port must be a number'],
    [['--prot', '1'], '--prot'],
    [['--url', 'https://leash.example.com/path'], '--url must be an address without a path'],
  ] as const),
)('%j is told to be wrong', async (args, words) => {
  const program = programs.start('node', [join(ROOT, 'scripts', 'start.ts'), ...args]);
  expect(await program.exit).toBe(1);
  expect(program.printed).toContain(words);
  expect(program.printed).toContain('usage: npm start');
});

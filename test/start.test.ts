import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ApiClient } from '../scripts/local/api-client.ts';
import { ROOT } from '../scripts/local/paths.ts';
import { groupMembers, processTree } from '../scripts/local/process-group.ts';
import { freePort, type Program, usePrograms } from './support/programs.ts';

const programs = usePrograms();

function startControlPlane(port: number, env: Record<string, string> = {}): Program {
  const script = join(ROOT, 'scripts', 'start.ts');
  return programs.start('node', [script, '--port', String(port), '--state', 'state'], env);
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

test('a given admin token is used, and not shown', async () => {
  const port = await freePort();
  const program = startControlPlane(port, { LEASH_ADMIN_TOKEN: 'given-by-someone-who-took-care' });
  await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));
  expect(program.printed).not.toContain('given-by-someone-who-took-care');
  const api = new ApiClient(`http://127.0.0.1:${port}`, 'given-by-someone-who-took-care');
  expect(await api.runs()).toEqual([]);
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
  const program = programs.start('node', [join(ROOT, 'scripts', 'start.ts'), '--help']);
  expect(await program.exit).toBe(0);
  expect(program.printed).toMatch(/^usage: npm start/);
  for (const word of ['--port N', '--state DIR', 'LEASH_ADMIN_TOKEN']) expect(program.printed).toContain(word);
});

test.each([
  [['--port', 'x'], '--port takes a number'],
  [['--prot', '1'], '--prot'],
])('%j is told to be wrong', async (args, words) => {
  const program = programs.start('node', [join(ROOT, 'scripts', 'start.ts'), ...args]);
  expect(await program.exit).toBe(1);
  expect(program.printed).toContain(words);
  expect(program.printed).toContain('usage: npm start');
});

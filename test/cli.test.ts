/** The operator's subcommands, as people and programs start them: in a terminal and in a pipe. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import type { Report } from '#protocol/report';
import { LEASH_PROGRAM } from '../scripts/local/paths.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'leash-cli-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const plainEnv = () => ({ PATH: process.env.PATH ?? '', HOME: home, LEASH_CONFIG: '/dev/null', TERM: 'xterm' });

/** Without blocking: simulated runs live in this process. */
async function started(program: string, args: readonly string[], env: Record<string, string>, input: string) {
  const child = spawn(program, args, { env, stdio: 'pipe' });
  child.stdin.end(input);
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { status: status as number | null, stdout, stderr };
}

/** In a pipe. */
function leash(
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
) {
  return started(LEASH_PROGRAM, args, { ...plainEnv(), ...env }, input);
}

/** The lines that it prints in a terminal of this many columns. */
async function inTerminal(columns: number, args: readonly string[]): Promise<string[]> {
  const command = `stty cols ${columns} rows 40; exec ${LEASH_PROGRAM} ${args.join(' ')}`;
  const { stdout } = await started('script', ['-qec', command, '/dev/null'], plainEnv(), '');
  return stdout.split('\r\n').filter((line) => line !== '');
}

const hasScript = spawnSync('script', ['--version']).status === 0;

test('an operator signs in and sees what runs, in a pipe, as JSON and in a terminal', async () => {
  const { url, operatorToken, adminToken } = environment();
  const running = await environment().simulate('cli-running', { machine: 'cli-one.example.com' });
  await environment().simulateEnded('cli-ended', 3, 'cli-two.example.com', 61_000);

  const before = await leash(['ps']);
  expect(before).toMatchObject({ status: 2, stdout: '' });
  expect(before.stderr).toContain('leash login');
  expect((await leash(['login', url, '--token-stdin'], { input: 'wrong\n' })).status).toBe(4);
  const login = await leash(['login', url, '--token-stdin'], { input: `${operatorToken}\n` });
  expect(login).toMatchObject({ status: 0, stderr: '' });
  expect(login.stdout).toMatch(/may +read runs and their output; kill runs/);
  const file = join(home, '.config', 'leash', 'login.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url, token: operatorToken });

  const ps = await leash(['ps', '--job', 'cli-*', '--machine', 'cli-*']);
  expect(ps.status).toBe(0);
  expect(ps.stdout).toMatch(
    new RegExp(`^RUN .*\\n${running.id}  running  cli-running  cli-one\\.example\\.com  [^\\n]*\\n$`),
  );
  const json: Run[] = JSON.parse((await leash(['ps', '--job', 'cli-running', '--json'])).stdout);
  expect(json).toMatchObject([{ id: running.id, job: 'cli-running', state: 'running' }]);
  const history = await leash(['history', 'cli-*']);
  expect(history.stdout).toMatch(/failed +3 +cli-ended +cli-two\.example\.com .* 1m 01s/);
  const report = await leash(['report', '--since', '1h']);
  expect(report.stdout).toMatch(/failed +cli-ended +cli-two\.example\.com .* exit code 3, after 1m 01s/);
  expect(report.stderr).toMatch(/runs that started since .*: \d+, of \d+ jobs, on \d+ machines/i);
  const { jobs }: Report = JSON.parse((await leash(['report', '--json'])).stdout);
  expect(jobs.map(({ job }) => job)).toContain('cli-ended');
  const show = await leash(['show', running.id.slice(-8).toLowerCase()]);
  expect(show.stdout).toMatch(new RegExp(`^run +${running.id}\\n`));
  expect(show.stdout).toContain('started on cli-one.example.com');

  if (hasScript) {
    const [header = '', row = '', ...others] = await inTerminal(80, ['ps', '--job', 'cli-running']);
    expect(others).toEqual([]);
    expect(header).toContain('\x1b[1mRUN\x1b[0m');
    expect(row).toContain(`\x1b[2m${running.id.slice(-8)}\x1b[0m`);
    expect(row).toContain('\x1b[32mrunning\x1b[0m');
  }

  // Only an admin may: the login isn't one, and the environment comes before it.
  expect((await leash(['token', 'list'])).status).toBe(4);
  const env = { LEASH_TOKEN: adminToken };
  const created = await leash(['token', 'create', 'cli-token', '--scope', 'run'], { env });
  expect(created.stdout).toMatch(/^leash_\w+\n$/);
  expect((await leash(['token', 'delete', 'cli-token'], { env })).status).toBe(2);
  expect((await leash(['token', 'delete', 'cli-token', '--yes'], { env })).status).toBe(0);
  expect((await leash(['show', 'cli-nothing'])).status).toBe(3);
  expect((await leash(['ps', '--url', 'http://127.0.0.1:1', '--token-file', '/dev/null'])).status).toBe(4);
  expect((await leash(['ps'], { env: { ...env, LEASH_URL: 'http://127.0.0.1:1' } })).status).toBe(6);
  expect((await leash(['ps', 'x'])).status).toBe(2);
  expect((await leash(['logout'])).status).toBe(0);
});

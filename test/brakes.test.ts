/** Brakes, maintenance and drain, with real wrappers and an operator's terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { LEASH_PROGRAM } from '../scripts/local/paths.ts';
import { FOREVER } from './support/commands.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** `leash …` as an operator starts it in a pipe. */
function operate(...args: readonly string[]) {
  const { url, operatorToken, directory } = environment();
  const child = spawn(process.execPath, [LEASH_PROGRAM, ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      LEASH_CONFIG: '/dev/null',
      LEASH_URL: url,
      LEASH_TOKEN: operatorToken,
    },
    stdio: 'pipe',
  });
  started.push(child);
  const operated = {
    printed: '',
    exit: new Promise<number | null>((resolve) => child.once('close', resolve)),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      operated.printed += chunk.toString();
    });
  }
  return operated;
}

/** Other tests of this control plane must see none. */
afterEach(async () => {
  for (const id of await active()) await api('DELETE', `/brakes/${id}`);
});

async function active(): Promise<string[]> {
  const { brakes } = (await (await api('GET', '/brakes')).json()) as { brakes: { id: string }[] };
  return brakes.map(({ id }) => id);
}

function api(method: string, path: string): Promise<Response> {
  const { url, operatorToken } = environment();
  return fetch(`${url}/api/v1${path}`, { method, headers: { Authorization: `Bearer ${operatorToken}` } });
}

async function runReady(job: string, machine: string) {
  environment().wrapper({ job, machine, command: FOREVER });
  const run = await environment().runOf(job, () => true, machine);
  await environment().output(run.id, 'ready');
  return run;
}

test('a brake kills what runs, and what connects while it stands', async () => {
  const now = await runReady('braked-1', 'm1');
  const brake = operate('brake', 'braked-*', '--for', '1h', '--reason', 'bad data', '--yes');
  expect(await brake.exit).toBe(0);
  expect(brake.printed).toMatch(/Brake on braked-\* until .*: bad data\./);
  expect(brake.printed).toContain('all processes exited');
  expect(await environment().operator.run(now.id)).toMatchObject({ state: 'killed', exit_code: 143 });

  const later = environment().wrapper({ job: 'braked-2', machine: 'm1', command: FOREVER });
  const run = await environment().runOf('braked-2', ({ state }) => state === 'killed');
  expect(await later.exit).toMatchObject({ code: 143 });
  const asking = environment().wrapper({ job: 'braked-3', machine: 'm1', command: FOREVER, flags: ['--ask'] });
  expect(await asking.exit).toMatchObject({ code: 75 });
  const skipped = await environment().runOf('braked-3', ({ final }) => final);
  expect(skipped).toMatchObject({ state: 'skipped', reason: 'brake', exit_code: 75 });

  const event = await environment().event(run.id, ({ type }) => type === 'kill_requested', 'the kill');
  expect(event).toMatchObject({ reason: 'brake: bad data' });

  const [id = ''] = await active();
  const ended = operate('brakes', '--end', id.slice(-8));
  expect(await ended.exit).toBe(0);
  expect(ended.printed).toContain('Ended: Brake on braked-*.');
  await runReady('braked-2', 'm2');
});

test('a machine is drained when its last run has ended', async () => {
  const run = await runReady('drained', 'drained-1');
  const drain = operate('drain', 'drained-1', '--for', '1h', '--wait');
  await waitFor('the drain to see it', () => drain.printed.includes(`Still running: drained on drained-1 (${run.id})`));
  const kill = operate('kill', run.id, '--yes');
  expect(await kill.exit).toBe(0);
  expect(await drain.exit).toBe(0);
  expect(drain.printed).toContain('Nothing runs on drained-1.');

  const other = await runReady('drained-too', 'drained-2');
  const killing = operate('drain', 'drained-2', '--for', '1h', '--wait', '--kill-after', '1s');
  expect(await killing.exit).toBe(0);
  expect(await environment().operator.run(other.id)).toMatchObject({ state: 'killed' });
});

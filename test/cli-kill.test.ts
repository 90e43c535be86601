import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { LEASH_PROGRAM } from '../scripts/local/paths.ts';
import { FOREVER, STUBBORN } from './support/commands.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const hasScript = spawnSync('script', ['--version']).status === 0;
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** `leash …` as an operator starts it: with a terminal of its own, or in a pipe. */
function operate(args: readonly string[], { inTerminal = false } = {}) {
  const line = [process.execPath, LEASH_PROGRAM, ...args];
  const child = inTerminal
    ? spawn('script', ['-qefc', `exec ${line.map((word) => `'${word}'`).join(' ')}`, '/dev/null'], options())
    : spawn(process.execPath, line.slice(1), options());
  started.push(child);
  const operated = {
    child,
    printed: '',
    stdout: '',
    exit: new Promise<number | null>((resolve) => child.once('close', resolve)),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      operated.printed += chunk.toString();
    });
  }
  child.stdout?.on('data', (chunk: Buffer) => {
    operated.stdout += chunk.toString();
  });
  return operated;
}

function options() {
  const { url, operatorToken, directory } = environment();
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    LEASH_CONFIG: '/dev/null',
    LEASH_URL: url,
    LEASH_TOKEN: operatorToken,
  };
  return { env, stdio: 'pipe' } as const;
}

async function runReady(job: string, machine: string, command: readonly string[] = FOREVER) {
  environment().wrapper({ job, machine, command });
  const run = await environment().runOf(job, () => true, machine);
  await environment().output(run.id, 'ready');
  return run;
}

test('in a pipe a kill needs --yes, and prints each step on each machine', async () => {
  await runReady('cli-pipe', 'm1');
  await runReady('cli-pipe', 'm2', STUBBORN);

  const refused = operate(['kill', 'cli-pipe']);
  expect(await refused.exit).toBe(2);
  expect(refused.printed).toContain('Add --yes');

  const kill = operate(['kill', 'cli-pipe', '--yes', '--grace', '1s', '--reason', 'test']);
  expect(await kill.exit).toBe(0);
  expect(kill.printed).toContain('Killing 2 runs of cli-pipe: SIGTERM, then SIGKILL after 1s.');
  for (const [machine, steps] of [
    ['m1', ['sent to the machine', 'SIGTERM sent to all', 'all processes exited']],
    ['m2', ['sent to the machine', 'SIGTERM sent to all', 'SIGKILL sent to the remaining', 'all processes exited']],
  ] as const) {
    const lines = kill.printed.split('\n').filter((line) => line.includes(`s  ${machine}  `));
    expect(lines.map((line, index) => line.includes(steps[index] ?? '?'))).toEqual(steps.map(() => true));
  }
  expect(kill.printed).toMatch(/2 runs ended after [\d.ms ]+\.\n/);

  const nothing = operate(['kill', 'cli-pipe', '--yes']);
  expect(await nothing.exit).toBe(3);
});

test.runIf(hasScript)('on a terminal it asks, and Ctrl-C leaves the kill in place', async () => {
  const run = await runReady('cli-ask', 'm1', STUBBORN);

  const kill = operate(['kill', 'cli-ask', '--grace', '1h'], { inTerminal: true });
  await waitFor('the question', () => kill.printed.includes('Kill this run? [y/N]'));
  expect((await environment().operator.run(run.id)).state).toBe('running');
  kill.child.stdin?.write('y\n');
  await waitFor('the grace period to be shown', () => /SIGKILL in 59m|SIGKILL in 1h/.test(kill.printed));
  kill.child.stdin?.write('\u0003');

  expect(await kill.exit).toBe(130);
  expect(kill.printed).toContain('The kill stands');
  // The cursor is shown again.
  expect(kill.printed.lastIndexOf('\u001b[?25h')).toBeGreaterThan(kill.printed.lastIndexOf('\u001b[?25l'));
  expect((await environment().operator.run(run.id)).state).toBe('killing');

  // Another kill shortens the grace period.
  const forced = operate(['kill', run.id, '--force', '--yes', '--json']);
  expect(await forced.exit).toBe(0);
  expect(JSON.parse(forced.stdout)).toMatchObject({
    kills: [{ state: 'settled', targets: [{ run: run.id, state: 'gone' }] }],
  });
});

test('logs -f prints a run to its end, bytes as they are; of a job also runs that start later', async () => {
  const command = [
    'sh',
    '-c',
    String.raw`echo ready; printf '\033[2J\001x\n'; read line < /dev/null; sleep 2; echo end`,
  ];
  const run = await runReady('cli-logs', 'm1', command);
  const logs = operate(['logs', '-f', run.id]);
  const ofJob = operate(['logs', '-f', 'cli-logs', '--json']);
  await waitFor('the output of the run', () => ofJob.stdout.includes('ready'));
  const later = await environment().simulate('cli-logs', { machine: 'm2' });
  later.print('later\n');
  await waitFor('the output of the later run', () => ofJob.stdout.includes('"text":"later\\n"'));
  await later.end(0, 0);
  await waitFor('its end', () => ofJob.printed.includes(`Run ${later.id} on m2 has ended: succeeded.`));
  expect(await logs.exit).toBe(0);
  expect(logs.stdout).toBe('ready\n\u001b[2J\u0001x\nend\n');
});

test.runIf(hasScript)('ps --watch shows what changes, on a terminal and in a pipe, until Ctrl-C', async () => {
  const first = await environment().simulate('cli-watched-1', { machine: 'cli-watched-machine' });
  const args = ['ps', '--watch', '--job', 'cli-watched-*'];
  const table = operate(args, { inTerminal: true });
  const json = operate([...args, '--json']);
  const machine = 'cli-watched-m';
  await waitFor('the list', () => table.printed.includes(machine) && json.stdout.includes('\n'));
  await first.end(3, 0);
  await waitFor('the end', () => table.printed.includes('failed (exit 3)') && json.stdout.includes('"failed"'));

  table.child.stdin?.write('\u0003');
  json.child.kill('SIGINT');
  expect(await table.exit).toBe(0);
  expect(await json.exit).toBe(0);
  expect(table.printed).toContain('Ctrl-C ends');
  expect(table.printed.lastIndexOf('\u001b[?25h')).toBeGreaterThan(table.printed.lastIndexOf('\u001b[?25l'));
  const runs = json.stdout
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(runs.at(0)).toMatchObject({ id: first.id, state: 'running', connected: true });
  expect(runs.at(-1)).toMatchObject({ id: first.id, state: 'failed', exit_code: 3 });
});

test('bash completes flags and jobs', async () => {
  await environment().simulate('cli-completed');
  const script = `leash() { '${process.execPath}' '${LEASH_PROGRAM}' "$@"; }
eval "$(leash completion bash)"
try() { COMP_WORDS=(leash "$@"); COMP_CWORD=$#; _leash; echo "\${COMPREPLY[@]}"; }
try kill --dry; try logs cli-comp`;
  const bash = spawn('bash', ['-c', script], options());
  started.push(bash);
  let printed = '';
  bash.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await new Promise((resolve) => bash.once('close', resolve));
  expect(printed.split('\n')).toEqual(['--dry-run', 'cli-completed', '']);
});

/** What is secret stays on the machine: in no frame, in no file, on no command line. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { hasCode } from '../../src/host/error-code.ts';
import { controlPlane, leashRun, marker, shell, stderrOf } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const PASSWORD = 'hunter2-is-not-it';
const KEY = 'sk-9f8e7d6c5b4a3';

/** Everything in the files below a directory. */
function contents(directory: string): string {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .flatMap((each) => (each.isFile() ? textOf(path.join(each.parentPath, each.name)) : []))
    .join('\n');
}

function textOf(file: string): string[] {
  try {
    return [fs.readFileSync(file, 'latin1')];
  } catch (error) {
    // The flusher, which has just begun, has made the run its own: the file that says whose it is has another name now.
    if (hasCode(error, 'ENOENT') && path.basename(file).startsWith('owner@')) return [];
    throw error;
  }
}

test('what is secret is hidden in both streams and in the command line, however it is printed, and shown here', async () => {
  const plane = await controlPlane();
  const [token, config] = ['token', 'leash.conf'].map((name) => path.join(temporaryDirectory(), name));
  if (token === undefined || config === undefined) throw new Error('two names make two files');
  fs.writeFileSync(token, 'a-token-in-a-file\n');
  fs.writeFileSync(config, 'LEASH_REDACT=pin \\d+\n');
  // Its end would take longer than anybody lives, if it were matched by backtracking.
  const tail = 'x'.repeat(100);
  const leash = leashRun(
    [
      ...shell(
        `echo "out $DB_PASSWORD pin 1234 ${tail}"; cat "$1"; echo ${PASSWORD}; printf 'card 4111-11'
        echo "err $SOME_API_KEY" >&2; printf 'password ${PASSWORD.slice(0, 5)}' >&2
        read -r _
        printf '11-1111\\n'; printf '${PASSWORD.slice(5)}\\n' >&2`,
        marker(),
      ),
      token,
    ],
    {
      plane,
      env: { DB_PASSWORD: PASSWORD, LEASH_TOKEN: '', LEASH_CONFIG: config },
      options: [
        ...['--env', `SOME_API_KEY=${KEY}`, '--token-file', token],
        ...['--redact', '\\d{4}-\\d{4}-\\d{4}', '--redact', '(x+x+)+y'],
      ],
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  // Those printed in two pieces are one all the same.
  await waitFor('the first pieces', () => leash.stdout.includes('card 4111-11') && leash.stderr.includes('password'));
  await waitFor('what is before them', () => plane.stored.includes('err') && plane.stored.includes('out'));
  leash.process.stdin?.end('\n');
  expect((await leash.exited()).code).toBe(0);
  await plane.completed();
  expect(plane.stored.toString().split('\n').toSorted()).toEqual([
    '',
    '[REDACTED]',
    '[REDACTED]',
    'card [REDACTED]',
    'err [REDACTED]',
    `out [REDACTED] [REDACTED] ${tail}`,
    'password [REDACTED]',
  ]);
  expect((await plane.started()).command_line).toContain('echo [REDACTED]');
  expect(JSON.stringify(plane.messages) + plane.stored).not.toMatch(new RegExp(`${PASSWORD}|${KEY}|a-token-in`));
  expect(leash.stdout.toString()).toBe(
    `out ${PASSWORD} pin 1234 ${tail}\na-token-in-a-file\n${PASSWORD}\ncard 4111-1111-1111\n`,
  );
  expect(stderrOf(leash)).toBe(`err ${KEY}\npassword ${PASSWORD}\n`);
});

test('a token file that does not answer holds up neither start, signals nor end; once it is read, the token is used and hidden', async () => {
  const plane = await controlPlane();
  const fifos = ['silent', 'fifo'].map((name) => path.join(temporaryDirectory(), name));
  execFileSync('mkfifo', fifos);
  const [silent, leash] = fifos.map((fifo) =>
    leashRun(shell('echo ready; read -r _; echo the-late-token; exit 7', marker()), {
      plane,
      env: { LEASH_TOKEN: '' },
      options: ['--token-file', fifo],
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );
  if (silent === undefined || leash === undefined) throw new Error('two files make two runs');
  await waitFor('its command', () => silent.stdout.includes('ready'));
  silent.kill('SIGTERM');
  expect((await silent.exited()).code).toBe(143);

  await waitFor('its command', () => leash.stdout.includes('ready'));
  await fs.promises.writeFile(fifos[1] ?? '', 'the-late-token\n');
  await waitFor('the output', () => plane.stored.includes('ready'));
  leash.process.stdin?.end('\n');
  expect((await leash.exited()).code).toBe(7);
  await plane.completed();
  expect(plane.requests.at(-1)?.authorization).toBe('Bearer the-late-token');
  expect(plane.stored.toString()).toBe('ready\n[REDACTED]\n');
});

test('a LEASH_REDACT that cannot be read hides all of it, and says so', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'echo one; echo; echo two >&2; exit 5'], { plane, env: { LEASH_REDACT: '(' } });
  expect((await leash.exited()).code).toBe(5);
  await plane.completed();
  expect(plane.stored.toString()).not.toMatch(/one|two/);
  expect(leash.stdout.toString()).toBe('one\n\n');
  expect(leash.stderr).toMatch(/LEASH_REDACT: .*every line of output is hidden/);
});

test.runIf(IS_PROOF)('a --redact that cannot be read is wrong usage', async () => {
  const leash = leashRun(['echo', 'ran'], { options: ['--redact', '('] });
  expect((await leash.exited()).code).toBe(255);
  expect(leash.stdout.toString()).toBe('');
  expect(leash.stderr).toMatch(/^leash: --redact: .* \(see leash run --help\)\n$/);
});

test('--no-redact hides nothing', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'echo "$DB_PASSWORD"'], {
    plane,
    env: { DB_PASSWORD: PASSWORD },
    options: ['--no-redact'],
  });
  expect((await leash.exited()).code).toBe(0);
  await plane.completed();
  expect(plane.stored.toString()).toBe(`${PASSWORD}\n`);
});

test('a failed start shows no secret of its command line', async () => {
  const plane = await controlPlane();
  const leash = leashRun([`/nowhere/${PASSWORD}`], { plane, env: { DB_PASSWORD: PASSWORD } });
  expect((await leash.exited()).code).toBe(255);
  await plane.completed();
  expect(plane.stored.toString()).toContain('cannot start /nowhere/[REDACTED]: not found');
  expect(JSON.stringify(plane.messages)).not.toContain(PASSWORD);
});

test('nothing secret is in what is kept on disk or in our own log', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const state = path.join(temporaryDirectory(), 'state');
  const log = path.join(temporaryDirectory(), 'log');
  const script = `echo "out $DB_PASSWORD"; echo "err $DB_PASSWORD" >&2; : ${PASSWORD}`;
  const leash = leashRun(['sh', '-c', script], {
    plane,
    env: { DB_PASSWORD: PASSWORD, LEASH_STATE_DIR: state, LEASH_TOKEN: 'the-token-of-this-test' },
    options: ['--log', log],
  });
  expect((await leash.exited()).code).toBe(0);
  const kept = contents(state);
  expect(kept).toContain('out [REDACTED]');
  expect(kept).toContain('err [REDACTED]');
  expect(kept + fs.readFileSync(log, 'utf8')).not.toMatch(new RegExp(`${PASSWORD}|the-token-of-this-test`));
  expect(leash.stderr).not.toContain('the-token-of-this-test');
});

/** What is secret stays on the machine: in no frame, in no file, on no command line. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { hasCode } from '../../src/error-code.ts';
import { controlPlane, leashRun, marker, shell } from '../support/leash.ts';
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

test('values of variables named like secrets are hidden in both streams and in the command line, and shown here', async () => {
  const plane = await controlPlane();
  const script = `echo "out $DB_PASSWORD"; echo "err $SOME_API_KEY" >&2; echo ${PASSWORD}`;
  const leash = leashRun(['sh', '-c', script], {
    plane,
    env: { DB_PASSWORD: PASSWORD },
    options: ['--env', `SOME_API_KEY=${KEY}`],
  });
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString()).toContain('out [REDACTED]\n');
  expect(plane.stored.toString()).toContain('err [REDACTED]\n');
  expect((await plane.started()).command).toContain('echo [REDACTED]');
  expect(JSON.stringify(plane.messages) + plane.stored).not.toMatch(new RegExp(`${PASSWORD}|${KEY}`));
  expect(leash.stdout.toString()).toBe(`out ${PASSWORD}\n${PASSWORD}\n`);
  expect(leash.stderr).toBe(`err ${KEY}\n`);
});

test('a secret that is printed in two pieces is one, and so is a match of --redact', async () => {
  const plane = await controlPlane();
  const directory = temporaryDirectory();
  const next = path.join(directory, 'next');
  const leash = leashRun(
    [
      ...shell(
        `echo first; printf 'card 4111-11'; printf 'password ${PASSWORD.slice(0, 5)}' >&2
        while [ ! -e "$1" ]; do sleep 0.05; done
        printf '11-1111\\n'; printf '${PASSWORD.slice(5)}\\n' >&2`,
        marker(),
      ),
      next,
    ],
    { plane, env: { DB_PASSWORD: PASSWORD }, options: ['--redact', '\\d{4}-\\d{4}-\\d{4}'] },
  );
  await waitFor('the first pieces', () => leash.stdout.includes('card 4111-11') && leash.stderr.includes('password'));
  await waitFor('what is before them', () => plane.stored.includes('first'));
  fs.writeFileSync(next, '');
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString().split('\n').toSorted()).toEqual([
    '',
    'card [REDACTED]',
    'first',
    'password [REDACTED]',
  ]);
});

test('the token is hidden even if the command can read it', async () => {
  const plane = await controlPlane();
  const file = path.join(temporaryDirectory(), 'token');
  fs.writeFileSync(file, 'a-token-in-a-file\n');
  const leash = leashRun(['cat', file], { plane, env: { LEASH_TOKEN: '' }, options: ['--token-file', file] });
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString()).toBe('[REDACTED]\n');
  expect(leash.stdout.toString()).toBe('a-token-in-a-file\n');
});

test('LEASH_REDACT is heeded, and no pattern gets lost in backtracking', async () => {
  const plane = await controlPlane();
  const config = path.join(temporaryDirectory(), 'leash.conf');
  fs.writeFileSync(config, 'LEASH_REDACT=pin \\d+\n');
  // The last one would take longer than anybody lives, if it were matched by backtracking.
  const options = { plane, options: ['--redact', 'puk \\d+', '--redact', '(x+x+)+y'] };
  const tail = 'x'.repeat(100);
  const leash = leashRun(['echo', `pin 1234 puk 5678 ${tail}`], { ...options, env: { LEASH_CONFIG: config } });
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString()).toBe(`[REDACTED] [REDACTED] ${tail}\n`);
});

test('a LEASH_REDACT that cannot be read hides all of it, and says so', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'echo one; echo; echo two >&2; exit 5'], { plane, env: { LEASH_REDACT: '(' } });
  expect((await leash.exited()).code).toBe(5);
  expect(plane.stored.toString()).not.toMatch(/one|two/);
  expect(leash.stdout.toString()).toBe('one\n\n');
  expect(leash.stderr).toMatch(/LEASH_REDACT: .*every line of the command is hidden/);
});

test('a --redact that cannot be read is wrong usage', async () => {
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
  expect(plane.stored.toString()).toBe(`${PASSWORD}\n`);
});

test('a failed start shows no secret of its command line', async () => {
  const plane = await controlPlane();
  const leash = leashRun([`/nowhere/${PASSWORD}`], { plane, env: { DB_PASSWORD: PASSWORD } });
  expect((await leash.exited()).code).toBe(255);
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

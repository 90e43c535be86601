import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { readSaltpeterRun } from '../../src/cli/saltpeter-variables.ts';
import { parseRun } from '../../src/cli/subcommands/run.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** As Saltpeter sets them for `wrapper_path: /usr/local/bin/leash run`. */
const SET = {
  SP_WEBSOCKET_URL: 'ws://saltpeter.example.com:8889',
  SP_JOB_NAME: 'nightly backup',
  SP_JOB_INSTANCE: 'nightly backup_1790000000',
  SP_COMMAND: 'pg_dump db | gzip > f',
  SP_CWD: '/srv',
  SP_USER: 'postgres',
  SP_TIMEOUT: '3600',
  SP_WRAPPER_LOGLEVEL: 'normal',
  SP_WRAPPER_LOGDIR: '/var/log/sp_wrapper',
  SP_ALLOW_OVERLAP: 'true',
} as const;

test('all that Saltpeter sets counts where no command is given', () => {
  const { flags } = readSaltpeterRun([], { ...SET, SP_MACHINE_ID: 'db-1' }, true) ?? {};
  expect(flags).toEqual([
    '--job=nightly-backup-f4fada4a',
    expect.stringMatching(/^--instance=nightly-backup_1790000000-[0-9a-f]{8}$/),
    '--machine=db-1',
    '--cwd=/srv',
    '--user=postgres',
    '--timeout=3600',
    '--log=/var/log/sp_wrapper/nightly-backup-f4fada4a.log',
    '--merge',
    '--detach',
  ]);
  expect(parseRun([], { ...SET, SP_USER: '' })).toMatchObject({
    options: {
      job: 'nightly-backup-f4fada4a',
      machine: null,
      timeoutMs: 3_600_000,
      user: null,
      cwd: '/srv',
      merge: true,
      detach: true,
      shellLine: 'pg_dump db | gzip > f',
      command: ['/bin/sh', '-c', expect.any(String), 'sh', 'pg_dump db | gzip > f'],
    },
  });
});

test('flags win', () => {
  const parsed = parseRun(['--job', 'mine', '--timeout', '5m'], { ...SET, SP_USER: '' });
  expect(parsed).toMatchObject({ options: { job: 'mine', timeoutMs: 300_000, cwd: '/srv' } });
});

test('nothing counts where a command is given: a job of Saltpeter may run leash itself', () => {
  const parsed = parseRun(['--job', 'inner', '--', 'true'], { ...SET });
  expect(parsed).toMatchObject({
    saltpeter: null,
    options: { job: 'inner', instance: null, cwd: null, timeoutMs: null, detach: false, command: ['true'] },
  });
  expect(readSaltpeterRun([], { SP_JOB_NAME: 'backup' }, true)).toBeNull();
});

test.each([
  [{ SP_TIMEOUT: 'soon' }, true, 'SP_TIMEOUT soon: not a number of seconds, ignored'],
  [{}, false, 'SP_USER postgres: ignored, because only root can become another user'],
])('what can’t be meant is ignored, and says so: %o', (changes, isRoot, warning) => {
  const read = readSaltpeterRun([], { ...SET, ...changes }, isRoot);
  expect(read?.warnings).toEqual([warning]);
});

test('without a job name it is an error, and nothing is started', () => {
  expect(() => parseRun([], { SP_COMMAND: 'true' })).toThrow('--job is required');
});

test.each([
  ['true', null],
  ['YES', null],
  ['false', '/tmp/sp_wrapper_nightly backup.lock'],
  ['', '/tmp/sp_wrapper_nightly backup.lock'],
])('SP_ALLOW_OVERLAP=%j: the lock file %j', (value, lock) => {
  const command = readSaltpeterRun([], { ...SET, SP_ALLOW_OVERLAP: value }, true)?.command.command;
  expect(command?.[5] ?? null).toBe(lock);
});

test('no log is kept where Saltpeter keeps none', () => {
  const read = readSaltpeterRun([], { ...SET, SP_WRAPPER_LOGLEVEL: 'off' }, true);
  expect([read?.logDirectory, read?.flags.some((word) => word.startsWith('--log'))]).toEqual([null, false]);
});

describe('the lock', () => {
  const lockedRun = (lock: string, line: string) => {
    const env = { ...SET, SP_ALLOW_OVERLAP: 'false', SP_LOCKFILE: lock, SP_COMMAND: line };
    const [program = '', ...args] = readSaltpeterRun([], env, true)?.command.command ?? [];
    return spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  };
  const endOf = async (child: ReturnType<typeof lockedRun>) => {
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    return { output, code };
  };

  test('lets one run at a time, and says which one it waits for in vain', async () => {
    const lock = path.join(temporaryDirectory(), 'deep', 'job.lock');
    const first = lockedRun(lock, 'echo ready; read end; exit 7');
    await once(first.stdout, 'readable');
    expect(fs.readFileSync(lock, 'utf8')).toBe(`${first.pid}\n`);
    expect(await endOf(lockedRun(lock, 'echo never'))).toEqual({
      output: `LOCKFILE ERROR: Job nightly backup already running (PID ${first.pid}), overlap not allowed\n`,
      code: 254,
    });
    first.stdin.end('\n');
    expect(await endOf(first)).toEqual({ output: 'ready\n', code: 7 });
    expect(fs.existsSync(lock)).toBe(false);
  });

  test.each([
    ['a process that is gone', '4194399\n'],
    ['nothing', ''],
    ['no process id', 'nonsense\n'],
  ])('of %s is taken over', async (_what, content) => {
    const lock = path.join(temporaryDirectory(), 'job.lock');
    fs.writeFileSync(lock, content);
    expect(await endOf(lockedRun(lock, 'echo ran'))).toEqual({ output: 'ran\n', code: 0 });
    expect(fs.readdirSync(path.dirname(lock))).toEqual([]);
  });

  test('that can’t be taken ends the run', async () => {
    const lock = path.join(temporaryDirectory(), 'file', 'job.lock');
    fs.writeFileSync(path.dirname(lock), '');
    expect(await endOf(lockedRun(lock, 'echo never'))).toEqual({
      output: `LOCKFILE ERROR: Failed to write lockfile ${lock}\n`,
      code: 254,
    });
  });
});

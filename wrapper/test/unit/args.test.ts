import { expect, test } from 'vitest';
import { parseInvocation } from '../../src/cli/args.ts';
import { HELP } from '../../src/cli/help.ts';

test('what follows -- is the command, options and all', () => {
  const invocation = parseInvocation(['run', '--job', 'a', '--grace', '0', '--', 'cmd', '--job', '--', 'x']);
  expect(invocation).toMatchObject({
    kind: 'run',
    args: { job: 'a', graceMs: 0, timeoutMs: null, command: ['cmd', '--job', '--', 'x'] },
  });
});

test.each([
  [['run', '--', 'true'], '--job is required'],
  [['run', '--job', 'a'], 'a command is required'],
  [['run', '--job', 'a', '--'], 'a command is required'],
  [['run', '--job', 'a', 'true'], 'the command must come after --'],
  [['run', '--job', '-a/b', '--', 'true'], '--job'],
  [['run', '--job', 'a b', '--', 'true'], 'must start with a letter or digit'],
  [['run', '--job', 'a', '--grace', '2d', '--', 'true'], 'at most 1d'],
  [['run', '--job', 'a', '--token', 'x', '--', 'true'], '--token'],
  [['run', '--job', 'a', '--redact', 'x', '--no-redact', '--', 'true'], 'mutually exclusive'],
  [['run', '--job', 'a', '--signal', 'SIGNOPE', '--', 'true'], 'unknown signal'],
  [['run', '--job', 'a', '--wrapper-death', 'maybe', '--', 'true'], 'keep or kill'],
  [['run', '--job', 'a', '--env', 'NAME', '--', 'true'], '--env must be NAME=VALUE'],
  [['run', '--job', 'a', '--spool-limit', '1', '--', 'true'], 'at least 64K'],
  [['run', '--job', 'a', '--spool-limit', 'much', '--', 'true'], 'not a size'],
  [['run', '--job', 'a', '--shell', '--', 'echo', 'x'], 'one argument'],
  [['run', '--job', 'a', '--timeout', 'soon', '--', 'true'], 'not a duration'],
  [['run', '--job', 'a', '--timeout', '-5', '--', 'true'], '"--timeout requires a value; if it begins with a dash'],
  [['run', '--job', 'a', 'rsync', '-a', 'x'], 'the command must come after --'],
  [['flush', 'now'], 'takes no arguments'],
  [['flush', '--for', 'ever'], 'not a duration'],
  [['orphans', 'backup'], 'must be a ULID'],
  [['orphans', '--grace', '1s'], 'require --kill'],
  [['cost', '10'], 'described by flags'],
  [['cost', '--jobs', 'many'], 'not a number'],
  [['cost', '--minutes=-1'], 'not a number'],
  [['start'], 'unknown command: start'],
])('%j is wrong usage', (argv, message) => {
  const invocation = parseInvocation(argv);
  expect(invocation.kind).toBe('usage_error');
  expect(JSON.stringify(invocation)).toContain(message);
});

test('help and version', () => {
  expect(parseInvocation([])).toEqual({ kind: 'help', topic: 'leash' });
  expect(parseInvocation(['run', '--help'])).toEqual({ kind: 'help', topic: 'run' });
  expect(parseInvocation(['--version'])).toEqual({ kind: 'version' });
  // The command's own --help is the command's.
  expect(parseInvocation(['run', '--job', 'a', '--', 'ls', '--help']).kind).toBe('run');
});

test('limits are off by nothing and by 0, and the first signal can be named either way', () => {
  const read = (...flags: string[]) => parseInvocation(['run', '--job', 'a', ...flags, '--', 'true']);
  expect(read()).toMatchObject({
    args: {
      timeoutMs: null,
      idleTimeoutMs: null,
      maxOfflineMs: null,
      signal: 'SIGTERM',
      wrapperDeath: 'keep',
      // As much as the control plane keeps.
      spoolLimitBytes: null,
    },
  });
  expect(read('--timeout', '0', '--idle-timeout', '0s', '--max-offline', '0')).toMatchObject({
    args: { timeoutMs: null, idleTimeoutMs: null, maxOfflineMs: null },
  });
  expect(read('--timeout', '2h', '--idle-timeout', '90', '--max-offline', '5m', '--signal', 'int')).toMatchObject({
    args: { timeoutMs: 7_200_000, idleTimeoutMs: 90_000, maxOfflineMs: 300_000, signal: 'SIGINT' },
  });
  expect(read('--signal', 'SIGHUP')).toMatchObject({ args: { signal: 'SIGHUP' } });
});

test('a shell line is run by sh and shown as it is', () => {
  const invocation = parseInvocation(['run', '--job', 'a', '--shell', '--', 'pg_dump db | gzip > f']);
  expect(invocation).toMatchObject({
    args: { command: ['/bin/sh', '-c', 'pg_dump db | gzip > f'], shellLine: 'pg_dump db | gzip > f' },
  });
});

test('what is repeated adds up', () => {
  const invocation = parseInvocation([
    'run',
    '--job',
    'a',
    '--env',
    'A=1',
    '--env',
    'B=x=y',
    '--redact',
    'one',
    '--redact',
    'two',
    '--',
    'true',
  ]);
  expect(invocation).toMatchObject({
    args: { env: { A: '1', B: 'x=y' }, redaction: { kind: 'on', patterns: [/one/g, /two/g] } },
  });
});

test('orphans are named by run', () => {
  expect(parseInvocation(['orphans'])).toMatchObject({ kind: 'orphans', args: { runs: [], kill: null } });
  expect(parseInvocation(['orphans', '--kill', '01J00000000000000000000001', '--grace', '0'])).toMatchObject({
    args: { runs: ['01J00000000000000000000001'], kill: { signal: 'SIGTERM', graceMs: 0 } },
  });
});

test('a guardian names its run in the environment, and one of an older leash on the command line', () => {
  const run = '01J00000000000000000000001';
  const env = { LEASH_GUARDED_RUN: run };
  expect(parseInvocation(['adopt'], env)).toEqual({ kind: 'adopt', run, kill: null });
  expect(env).toEqual({});
  expect(parseInvocation(['adopt', run])).toEqual({ kind: 'adopt', run, kill: null });
  // Never all orphans, because it was not said which.
  expect(parseInvocation(['adopt', '--kill'])).toMatchObject({ kind: 'usage_error' });
});

test('every option is in the help, and the help fits a terminal', () => {
  for (const option of ['idle-timeout', 'max-offline', 'wrapper-death', 'spool-limit', 'no-redact', 'detach', 'cwd']) {
    expect(HELP.run).toContain(`--${option}`);
  }
  for (const text of Object.values(HELP)) {
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  }
});

import { expect, test } from 'vitest';
import { UsageError } from '../../src/cli/flags.ts';
import { rootHelp } from '../../src/cli/help.ts';
import { readInvocation } from '../../src/cli/invocation.ts';
import { findSubcommand, SUBCOMMANDS } from '../../src/cli/registry.ts';
import { parseAdopt } from '../../src/cli/subcommands/adopt/adopt.ts';
import { parseOrphans } from '../../src/cli/subcommands/orphans.ts';
import { parseRun, subcommand as run } from '../../src/cli/subcommands/run.ts';

test('what follows -- is the command, options and all', () => {
  const parsed = parseRun(['--job', 'a', '--grace', '0', '--', 'cmd', '--job', '--', 'x'], {});
  expect(parsed).toMatchObject({
    options: { job: 'a', graceMs: 0, timeoutMs: null, command: ['cmd', '--job', '--', 'x'] },
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
  [['run', '--job', 'a', '--overlap', 'never', '--', 'true'], 'allow, skip, wait or kill-old'],
  [['run', '--job', 'a', '--if-unreachable', 'skip', '--', 'true'], '--if-unreachable requires --ask'],
  [['run', '--job', 'a', '--overlap', 'skip', '--wait-timeout', '1m', '--', 'true'], 'requires --overlap wait or'],
  [['run', '--job', 'a', '--ask', '--skip-exit-code', '256', '--', 'true'], 'a number from 0 to 255'],
  [['run', '--job', 'a', '--leftovers', 'keep', '--', 'true'], 'tell, kill or ignore'],
  [['run', '--job', 'a', '--env', 'NAME', '--', 'true'], '--env must be NAME=VALUE'],
  [['run', '--job', 'a', '--spool-limit', '1', '--', 'true'], 'at least 64K'],
  [['run', '--job', 'a', '--spool-limit', 'much', '--', 'true'], 'not a size'],
  [['run', '--job', 'a', '--shell', '--', 'echo', 'x'], 'one argument'],
  [['run', '--job', 'a', '--timeout', 'soon', '--', 'true'], 'not a duration'],
  [['run', '--job', 'a', '--timeout', '-5', '--', 'true'], '--timeout requires a value; if it begins with a dash'],
  [['run', '--job', 'a', 'rsync', '-a', 'x'], 'the command must come after --'],
  [
    ['run', '--job', 'a', '--every', '1h', '--schedule', '0 3 * * *', '--', 'true'],
    '--every and --schedule are mutually exclusive',
  ],
  [['run', '--job', 'a', '--every', '5s', '--', 'true'], '--every must be at least 10s'],
  [['run', '--job', 'a', '--schedule', '0 3 * *', '--', 'true'], '--schedule "0 3 * *": must have five fields'],
  [['run', '--job', 'a', '--schedule', '0 3 * * * *', '--', 'true'], 'must have five fields'],
  [['run', '--job', 'a', '--schedule', '@reboot', '--', 'true'], 'no time at which it is due'],
  [['run', '--job', 'a', '--schedule', '0 3 30 feb *', '--', 'true'], 'never fires'],
  [['run', '--job', 'a', '--schedule', '0 3 31 4,6,9,11 *', '--', 'true'], 'never fires'],
  [
    ['run', '--job', 'a', '--schedule', '0 3 * * *', '--tz', 'Mars/Base', '--', 'true'],
    '--tz Mars/Base: unknown time zone',
  ],
  [['run', '--job', 'a', '--every', '1h', '--tz', 'UTC', '--', 'true'], '--tz requires --schedule'],
  [['run', '--job', 'a', '--late-after', '1h', '--', 'true'], '--late-after requires --every or --schedule'],
  [['flush', 'now'], 'takes no arguments'],
  [['flush', '--for', 'ever'], 'not a duration'],
  [['orphans', 'backup'], 'must be a ULID'],
  [['orphans', '--grace', '1s'], 'require --kill'],
  [['cost', '10'], 'described by flags'],
  [['cost', '--jobs', 'many'], 'not a number'],
  [['cost', '--minutes=-1'], 'not a number'],
])('%j is wrong usage', async (argv, message) => {
  const invocation = readInvocation(argv);
  if (invocation.kind !== 'subcommand') throw new Error(`there is no subcommand ${argv[0]}`);
  const { subcommand } = await invocation.subcommand.load();
  const error = await subcommand.start(invocation.argv, { version: '', env: {} }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
});

test('help and version', () => {
  expect(readInvocation([])).toEqual({ kind: 'help', subcommand: null });
  expect(readInvocation(['help', 'run'])).toEqual({ kind: 'help', subcommand: findSubcommand('run') });
  expect(parseRun(['--help'], {})).toBeNull();
  expect(readInvocation(['--version'])).toEqual({ kind: 'version' });
  // The command's own --help is the command's.
  expect(parseRun(['--job', 'a', '--', 'ls', '--help'], {})).not.toBeNull();
});

test('an unknown subcommand is named', () => {
  expect(readInvocation(['start'])).toEqual({ kind: 'unknown', word: 'start' });
});

test('limits are off by nothing and by 0, and the first signal can be named either way', () => {
  const read = (...flags: string[]) => parseRun(['--job', 'a', ...flags, '--', 'true'], {});
  expect(read()).toMatchObject({
    options: {
      timeoutMs: null,
      idleTimeoutMs: null,
      maxOfflineMs: null,
      splayMs: null,
      signal: 'SIGTERM',
      wrapperDeath: 'keep',
      leftovers: 'tell',
      // As much as the control plane keeps.
      spoolLimitBytes: null,
    },
  });
  expect(read('--timeout', '0', '--idle-timeout', '0s', '--max-offline', '0')).toMatchObject({
    options: { timeoutMs: null, idleTimeoutMs: null, maxOfflineMs: null },
  });
  expect(read('--timeout', '2h', '--idle-timeout', '90', '--max-offline', '5m', '--signal', 'int')).toMatchObject({
    options: { timeoutMs: 7_200_000, idleTimeoutMs: 90_000, maxOfflineMs: 300_000, signal: 'SIGINT' },
  });
  expect(read('--signal', 'SIGHUP')).toMatchObject({ options: { signal: 'SIGHUP' } });
});

test('every --overlap but allow asks first, and so does --ask', () => {
  const read = (...flags: string[]) => parseRun(['--job', 'a', ...flags, '--', 'true'], {})?.options.ask;
  expect(read()).toBeNull();
  expect(read('--overlap', 'allow')).toBeNull();
  const usual = { scope: 'job', timeoutMs: 3_000, ifUnreachable: 'run', waitTimeoutMs: null, skipExitCode: 75 };
  expect(read('--ask')).toEqual({ overlap: 'allow', ...usual });
  expect(read('--overlap', 'kill-old')).toEqual({ overlap: 'kill-old', ...usual });
  const changed = ['--overlap-scope', 'machine', '--if-unreachable', 'skip', '--skip-exit-code', '0'];
  expect(read('--overlap', 'wait', '--ask-timeout', '0', '--wait-timeout', '1h', ...changed)).toEqual({
    overlap: 'wait',
    scope: 'machine',
    timeoutMs: null,
    ifUnreachable: 'skip',
    waitTimeoutMs: 3_600_000,
    skipExitCode: 0,
  });
});

test('limits on what a run takes have units, and 0 means none', () => {
  const read = (...flags: string[]) => parseRun(['--job', 'a', ...flags, '--', 'true'], {});
  expect(read()).toMatchObject({ options: { maxMemoryBytes: null, maxCpuMs: null } });
  expect(read('--max-memory', '0', '--max-cpu', '0')).toMatchObject({
    options: { maxMemoryBytes: null, maxCpuMs: null },
  });
  expect(read('--max-memory', '1.5G', '--max-cpu', '2h')).toMatchObject({
    options: { maxMemoryBytes: 1.5 * 2 ** 30, maxCpuMs: 7_200_000 },
  });
  expect(() => read('--max-memory', 'much')).toThrow('--max-memory much: not a size');
});

test('what a job is must be what can be shown: each fault is named', () => {
  const read = (...flags: string[]) => parseRun(['--job', 'a', ...flags, '--', 'true'], {})?.options.about;
  expect(read()).toEqual({ tags: [], owner: null, runbook: null, note: null });
  const all = ['--owner', 'Data team', '--runbook', 'https://wiki.example.com/x', '--note', 'Mind the gap'];
  expect(read('--tag', 'nightly', '--tag', 'team:data', '--tag', 'nightly', ...all)).toEqual({
    tags: ['nightly', 'team:data'],
    owner: 'Data team',
    runbook: 'https://wiki.example.com/x',
    note: 'Mind the gap',
  });
  expect(() => read('--tag', 'a b')).toThrow('--tag a b: must start with a letter or digit');
  expect(() => read('--owner', '')).toThrow('--owner : must not be empty');
  expect(() => read('--note', 'x'.repeat(501))).toThrow('must have at most 500 characters');
  expect(() => read('--note', 'one\ntwo')).toThrow('must not contain line breaks');
  expect(() => read('--runbook', 'javascript:alert(1)')).toThrow('must start with https:// or http://');
  expect(() => read('--runbook', 'the wiki')).toThrow('must be a URL');
  const many = Array.from({ length: 21 }, (_, index) => ['--tag', `t${index}`]).flat();
  expect(() => read(...many)).toThrow('--tag may be given at most 20 times');
});

test('what is expected is sent as it was given', () => {
  const expected = (argv: readonly string[], env = {}) =>
    parseRun([...argv, '--job', 'a', '--', 'true'], env)?.options.expected;
  expect(expected([])).toBeNull();
  expect(expected(['--every', '0'])).toBeNull();
  expect(expected(['--every', '15m', '--late-after', '2m', '--slow-after', '90s'])).toEqual({
    every_ms: 900_000,
    schedule: null,
    time_zone: null,
    late_after_ms: 120_000,
    slow_after_ms: 90_000,
  });
  expect(expected(['--schedule', ' 0 3 29 2 * ', '--tz', 'UTC'])).toMatchObject({
    schedule: '0 3 29 2 *',
    time_zone: 'UTC',
  });
  expect(expected(['--schedule', '0 3 31 * *'], { TZ: ':UTC' })).toMatchObject({
    schedule: '0 3 31 * *',
    time_zone: 'UTC',
  });
  const { time_zone: local = null } = expected(['--schedule', '@daily']) ?? {};
  // It may have several names.
  const nameOf = (timeZone?: string) => new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  expect(nameOf(local ?? '')).toBe(nameOf());
});

test('a shell line is run by sh and shown as it is', () => {
  const parsed = parseRun(['--job', 'a', '--shell', '--', 'pg_dump db | gzip > f'], {});
  expect(parsed).toMatchObject({
    options: { command: ['/bin/sh', '-c', 'pg_dump db | gzip > f'], shellLine: 'pg_dump db | gzip > f' },
  });
});

test('a command line is for /bin/sh; with --cron for the shell that the crontab names', () => {
  const commandOf = (flags: readonly string[], env: NodeJS.ProcessEnv) =>
    parseRun(['--job', 'a', ...flags, '--', 'a | b'], env)?.options.command;
  expect(commandOf(['--shell'], { SHELL: '/bin/bash' })).toEqual(['/bin/sh', '-c', 'a | b']);
  expect(commandOf(['--cron', '--shell'], { SHELL: '/bin/bash' })).toEqual(['/bin/bash', '-c', 'a | b']);
  expect(commandOf(['--cron', '--shell'], {})).toEqual(['/bin/sh', '-c', 'a | b']);
  expect(commandOf(['--cron'], { SHELL: '/bin/bash' })).toEqual(['a | b']);
});

test('what is repeated adds up', () => {
  const parsed = parseRun(
    ['--job', 'a', '--env', 'A=1', '--env', 'B=x=y', '--redact', 'one', '--redact', 'two', '--', 'true'],
    {},
  );
  expect(parsed).toMatchObject({
    options: { env: { A: '1', B: 'x=y' }, redaction: { kind: 'on', patterns: [/one/g, /two/g] } },
  });
});

test('orphans are named by run', () => {
  expect(parseOrphans([])).toMatchObject({ runs: [], kill: null });
  expect(parseOrphans(['--kill', '01J00000000000000000000001', '--grace', '0'])).toMatchObject({
    runs: ['01J00000000000000000000001'],
    kill: { signal: 'SIGTERM', graceMs: 0 },
  });
});

test('a guardian names its run in the environment, and one of an older leash on the command line', () => {
  const guarded = '01J00000000000000000000001';
  const env = { LEASH_GUARDED_RUN: guarded };
  expect(parseAdopt([], env)).toEqual({ run: guarded, kill: null });
  expect(env).toEqual({});
  expect(parseAdopt([guarded], {})).toEqual({ run: guarded, kill: null });
  // Never all orphans, because it was not said which.
  expect(() => parseAdopt(['--kill'], {})).toThrow(UsageError);
});

test('every option is in the help, and the help fits a terminal', async () => {
  for (const option of [
    'idle-timeout',
    'max-offline',
    'wrapper-death',
    'leftovers',
    'overlap-scope',
    'ask-timeout',
    'if-unreachable',
    'wait-timeout',
    'skip-exit-code',
    'spool-limit',
    'no-redact',
    'detach',
    'cwd',
    'splay',
  ]) {
    expect(run.help).toContain(`--${option}`);
  }
  const loaded = await Promise.all(SUBCOMMANDS.map(({ load }) => load()));
  for (const text of [rootHelp(), ...loaded.map(({ subcommand }) => subcommand.help)]) {
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
  }
});

test('the help of leash lists every subcommand for people, by group', () => {
  const text = rootHelp();
  for (const { name, group, summary } of SUBCOMMANDS) {
    expect(text.split('\n').some((line) => line.trim().startsWith(`${name} `) && line.endsWith(summary))).toBe(
      group !== null,
    );
  }
  expect(text).toMatch(/^Run jobs:\n {2}run /m);
});

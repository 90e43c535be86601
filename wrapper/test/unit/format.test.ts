import * as v from 'valibot';
import { expect, test } from 'vitest';
import { MAX_COMMAND_LINE_BYTES } from '#protocol/limits';
import { KillId, MachineName, RunId, RunKey } from '#protocol/names';
import { parseDuration } from '#shared/parse-duration';
import { configure } from '../../src/config/control-plane.ts';
import { commandLine, cutCommandLine } from '../../src/format/command-line.ts';
import { describeEnd, describeStep } from '../../src/format/run-end.ts';
import { parseSize } from '../../src/format/size.ts';
import { fullName } from '../../src/host/host-name.ts';
import { commandEnvironment } from '../../src/launch/command-environment.ts';
import { machineName, newRunId, newRunKey } from '../../src/run/identity.ts';

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['500ms', 500],
  ['1.5s', 1_500],
  ['0', 0],
  ['', null],
  ['-1', null],
  ['5 m', null],
  ['m', null],
  ['1e3', null],
  ['99999999999999999999', null],
])('the duration %j is %j ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test('the end of a run for a person', () => {
  const killed = { kind: 'signaled', signal: 'SIGSEGV', signalNumber: 11 } as const;
  expect(describeEnd('exited', { kind: 'exited', code: 5 }, 5)).toBe('ended by itself: exit code 5');
  expect(describeEnd('timeout', { kind: 'exited', code: 0 }, 124)).toMatch(
    /^ended by --timeout: exit code 124 .*: 0\)$/,
  );
  expect(describeEnd('signaled', killed, 139)).toMatch(/: exit code 139 \(.*: SIGSEGV\)$/);
  expect(describeEnd('start_failed', null, 255)).toBe('ended before it started: exit code 255');
  const gone = { phase: 'gone', signal: null } as const;
  expect(describeStep({ ...gone, survivors: [], unnamed_survivors: false })).toBe('all processes exited');
  expect(describeStep({ ...gone, survivors: [7, 8], unnamed_survivors: false })).toBe(
    'all processes exited except pid 7, 8',
  );
  expect(describeStep({ ...gone, survivors: [7], unnamed_survivors: true })).toBe(
    'all processes exited except pid 7 and others with unknown pids',
  );
  expect(describeStep({ ...gone, survivors: [], unnamed_survivors: true })).toBe(
    'all processes that could be found exited, but something still runs',
  );
});

test.each([
  ['65536', 65_536],
  ['64K', 65_536],
  ['64KiB', 65_536],
  ['1.5m', 1_572_864],
  ['2G', 2_147_483_648],
  ['', null],
  ['-1', null],
  ['64 M', null],
  ['64T', null],
  ['9999999999999G', null],
])('the size %j is %j bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test('the control plane comes from flags, then from the environment', () => {
  const none = { url: null, tokenFile: null };
  const env = { LEASH_URL: 'https://leash.example.com/base/', LEASH_TOKEN: ' t ', LEASH_TOKEN_FILE: '/file' };
  expect(configure(none, env)).toEqual({
    kind: 'supervised',
    controlPlane: {
      baseUrl: 'wss://leash.example.com/base',
      token: { kind: 'value', token: 't' },
      caFile: null,
      proxy: env,
    },
    warning: null,
  });
  expect(configure({ url: 'http://127.0.0.1:8787', tokenFile: '/flag' }, env)).toMatchObject({
    controlPlane: { baseUrl: 'ws://127.0.0.1:8787', token: { kind: 'file', path: '/flag' } },
    warning: null,
  });
  expect(configure({ url: 'http://far.example.com', tokenFile: null }, env)).toMatchObject({
    warning: expect.stringContaining('unencrypted'),
  });
});

test.each([
  [{}, 'set LEASH_URL and LEASH_TOKEN (or LEASH_TOKEN_FILE)'],
  [{ LEASH_URL: 'https://x' }, 'set LEASH_TOKEN (or LEASH_TOKEN_FILE)'],
  [{ LEASH_TOKEN: 't', LEASH_URL: '' }, 'set LEASH_URL'],
  [{ LEASH_TOKEN: 't', LEASH_URL: 'leash.example.com' }, 'not an http(s) URL'],
  [{ LEASH_TOKEN: 't', LEASH_URL: 'ftp://leash.example.com' }, 'not an http(s) URL'],
])('%j means unsupervised', (env, why) => {
  const configuration = configure({ url: null, tokenFile: null }, env);
  expect(configuration).toMatchObject({ kind: 'unsupervised', why: expect.stringContaining(why) });
});

test('the command gets its environment without our credentials, and a variable that says which run it is', () => {
  const env = {
    LEASH_TOKEN: 't',
    LEASH_TOKEN_FILE: '/f',
    LEASH_URL: 'u',
    PATH: '/bin',
    LEASH_RUN_outer: '1',
    LEASH_RUN_ID: 'outer',
    LEASH_FENCE: '7',
  };
  expect(commandEnvironment(env, 'inner', { PATH: '/opt/bin' })).toEqual({
    LEASH_URL: 'u',
    LEASH_RUN_outer: '1',
    LEASH_RUN_inner: '1',
    LEASH_RUN_ID: 'inner',
    PATH: '/opt/bin',
  });
});

test('a command line is quoted as a shell would need it', () => {
  expect(commandLine(['sh', '-c', `echo "it's"`, '', 'a=b'])).toBe(`sh -c 'echo "it'\\''s"' '' a=b`);
});

test('a long command line is cut to the limit, between characters', () => {
  for (const pad of ['', 'a', 'ab', 'abc']) {
    const cut = cutCommandLine(pad + '😀'.repeat(3_000));
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(MAX_COMMAND_LINE_BYTES);
    expect(Buffer.byteLength(cut)).toBeGreaterThan(MAX_COMMAND_LINE_BYTES - 8);
    expect(cut).not.toContain('\ufffd');
  }
});

test('ids are what the protocol says', () => {
  for (let each = 0; each < 100; each += 1) {
    expect(v.is(RunId, newRunId())).toBe(true);
    expect(v.is(KillId, newRunId())).toBe(true);
    expect(v.is(RunKey, newRunKey())).toBe(true);
  }
});

test.each(['db-1.example.com', 'über host', '-x', '', '_', 'a'.repeat(300)])(
  'the host %j has a machine name',
  (host) => {
    expect(v.is(MachineName, machineName(host))).toBe(true);
  },
);

test.each([
  ['127.0.0.1 localhost\n127.0.1.1 db-1.example.com db-1\n', 'db-1.example.com'],
  ['192.0.2.7\tdb-1.example.com\tdb-1  db # db-1.of.old', 'db-1.example.com'],
  ['::1 localhost\n127.0.1.1 db-1\n192.0.2.7 db-1.example.com db-1\n', null],
  // As some images have it: that is no name of this machine alone.
  ['127.0.0.1 localhost.localdomain localhost db-1\n', null],
  ['127.0.1.1 db-10.example.com db-10\n# 127.0.1.1 db-1.example.com db-1\n', null],
  ['', null],
])('by %j the name in full is %j', (hosts, full) => {
  expect(fullName('db-1', hosts)).toBe(full);
});

/** The program as it is shipped starts through a shell that notes what Node would change. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { sampledTest } from '#testing/sampled-test';
import type { LaunchState } from '../../src/launch/launch-state.ts';
import { launcherHeader, seal } from '../../src/launch/launcher-header.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const LAUNCH_STATE = fileURLToPath(new URL('../../src/launch/launch-state.ts', import.meta.url));
const PATH = `${path.dirname(process.execPath)}:/usr/bin:/bin`;

/** Says what it was launched with. */
const BODY = `
import { extractLaunchState } from '${LAUNCH_STATE}';
if (process.argv[2] === '--version') { console.log('leash 0.0.0'); process.exit(); }
const state = extractLaunchState(process.env);
console.log(JSON.stringify({ ...state, argv: process.argv.slice(2), left: process.env.LEASH_LAUNCH ?? null, arenas: process.env.MALLOC_ARENA_MAX ?? null,
  governing: Object.keys(process.env).filter((name) => /^(NODE|UV|OPENSSL|MALLOC)_/.test(name)) }));
`;

interface Said extends LaunchState {
  readonly argv: string[];
  readonly left: string | null;
  /** How many stocks of memory glibc may keep. */
  readonly arenas: string | null;
  /** The variables of our own that govern Node. */
  readonly governing: string[];
}

function program(): string {
  const file = path.join(temporaryDirectory(), 'leash.mjs');
  fs.writeFileSync(file, seal(`${launcherHeader()}${BODY}`), { mode: 0o755 });
  return file;
}

const shells = ['/bin/dash', '/bin/bash'].filter((each) => fs.existsSync(each));

/** Where the launcher keeps which Node it has tried. */
const runtimeDirectory = fs.mkdtempSync(path.join(os.tmpdir(), 'leash-launch-'));
afterAll(() => fs.rmSync(runtimeDirectory, { recursive: true }));

/** Runs `script` in a shell, with `$PROGRAM` as what starts the program by way of the given shell. */
function launch(shell: string, script: string, env: Record<string, string>) {
  const sh = path.join(temporaryDirectory(), 'sh');
  fs.symlinkSync(shell, sh);
  const { stdout, stderr } = spawnSync('/bin/dash', ['-c', `SH=${sh} PROGRAM=${program()}; ${script}`], {
    env: { ...env, XDG_RUNTIME_DIR: runtimeDirectory },
    encoding: 'utf8',
  });
  if (stderr !== '') throw new Error(stderr);
  const said: Said = JSON.parse(stdout);
  const { XDG_RUNTIME_DIR: _own, ...environment } = said.environment;
  return { ...said, environment };
}

test.each(shells)('limits, ignored signals and descriptors are noted (%s)', (shell) => {
  // 10 is where bash puts the lock of `exec {lock}>file`, and where dash reads its script from when it is free.
  const open = '7</etc/passwd 10</etc/passwd 15</etc/passwd 16</etc/passwd 18</etc/passwd';
  const said = launch(
    shell,
    `ulimit -Sn 333; trap "" HUP QUIT TERM; exec bash --norc -c 'exec "$@" ${open}' bash "$SH" "$PROGRAM" one "two  words" ""`,
    { PATH },
  );
  expect(said).toMatchObject({ noFileSoft: 333, ignoredSignals: [1, 3, 15], left: null });
  // Node leaves 18 open by itself.
  expect(said.descriptors).toEqual([7, 10, 15, 16]);
  expect(said.argv).toEqual(['one', 'two  words', '']);
});

test.each(shells)('the environment is what it was before any shell touched it (%s)', (shell) => {
  const env = { PATH, SPECIAL: 'ä\n"=', PWD: '/elsewhere', SHLVL: '5', PS4: 'x' };
  // dash would drop the one with the dot, so it is set after it.
  const said = launch(shell, 'exec env dotted.name=1 LEASH_LAUNCH=stale "$SH" "$PROGRAM"', env);
  const { PWD, ...rest } = said.environment;
  expect(rest).toEqual({ PATH, SPECIAL: 'ä\n"=', SHLVL: '5', PS4: 'x', 'dotted.name': '1' });
  expect(PWD).toBe(process.cwd());
  expect(said.arenas).toBe('1');
});

const GOVERNING = {
  NODE_OPTIONS: '--require ./instrument.js --inspect',
  NODE_DEBUG: 'net',
  NODE_EXTRA_CA_CERTS: '/nowhere.pem',
  NODE_V8_COVERAGE: '/proc/nowhere',
  NODE_CHANNEL_FD: '3',
  UV_THREADPOOL_SIZE: '',
  OPENSSL_CONF: '/nowhere/openssl.cnf',
  MALLOC_ARENA_MAX: '3',
};

test.each([
  ['noted', {}],
  ['too large to be noted', { LARGE: 'x'.repeat(90_000) }],
])('what governs Node is the command’s, not ours, in an environment that is %s', (_how, more) => {
  const said = launch('/bin/sh', 'exec "$PROGRAM"', { PATH, ...GOVERNING, ...more });
  expect(said.environment).toEqual({ PATH, ...GOVERNING, ...more, PWD: process.cwd() });
  expect(said.governing).toEqual(['MALLOC_ARENA_MAX']);
  expect(said.arenas).toBe('1');
});

sampledTest(
  'without the launcher the limit is the parent’s, and notes meant for another process are not believed',
  () => {
    const env = { PATH, LEASH_LAUNCH: 'pid=1 fds=5, nofile=44\nsigign=0000000000000001\nenviron= 41 3d 31 00' };
    const said = launch('/bin/sh', `ulimit -Sn 444; ${process.execPath} "$PROGRAM"; exit`, env);
    expect(said).toMatchObject({ noFileSoft: 444, ignoredSignals: [], descriptors: [], left: null });
    expect(said.environment).toMatchObject({ PATH });
    expect(said.environment).not.toHaveProperty('LEASH_LAUNCH');
    expect(said.environment).not.toHaveProperty('A');
  },
);

sampledTest('an environment too large to be noted is taken as it is', () => {
  const said = launch('/bin/sh', 'exec "$PROGRAM"', { PATH, LARGE: 'x'.repeat(90_000) });
  expect(said.environment.LARGE).toHaveLength(90_000);
  expect(said.noFileSoft).not.toBeNull();
  expect(said.environment).not.toHaveProperty('MALLOC_ARENA_MAX');
  expect(said.environment).not.toHaveProperty('LEASH_HIDDEN_MALLOC_ARENA_MAX');
});

test('the file runs by its own first line', () => {
  const env = { PATH, XDG_RUNTIME_DIR: runtimeDirectory };
  expect(spawnSync(program(), ['x'], { env, encoding: 'utf8' }).stdout).toContain('"argv":["x"]');
});

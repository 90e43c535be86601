/** Disks that hang, which is worse than a disk that fails: no call ever comes back. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, NODE, sabotage, stateDirectory } from '../support/leash.ts';

const OFFLINE = { url: 'http://127.0.0.1:1' };

/** Every call to the file system that is not synchronous blocks a thread of the pool forever from the n-th on. */
const hangingDisk = (state: string, from: number) => {
  const fifo = path.join(state, 'hangs');
  spawnSync('mkfifo', [fifo]);
  return sabotage(`
    import fs from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    const open = fs.open;
    let calls = 0;
    for (const name of ['mkdir', 'writeFile', 'rename', 'open', 'readdir', 'rm', 'lstat', 'statfs', 'readFile', 'unlink']) {
      const real = fs[name];
      fs[name] = (...args) => {
        if (!String(args[0]).includes(${JSON.stringify(path.join(state, 'place'))})) return real(...args);
        calls += 1;
        return calls < ${from} ? real(...args) : open(${JSON.stringify(fifo)}, 'r');
      };
    }
    syncBuiltinESMExports();
  `);
};

/** Where Node can't become another program, the code is lost. */
const canBecome = spawnSync(NODE, ['-p', '"execve" in process'], { encoding: 'utf8' }).stdout === 'true\n';
const LEFT = canBecome ? { code: 6, signal: null } : { code: null, signal: 'SIGKILL' };

/** A run on a disk that hangs from its n-th call on, with its stdout in a file. */
function runOnHangingDisk(from: number, plane: { readonly url: string }) {
  const state = stateDirectory();
  const place = path.join(state, 'place');
  const env = { ...hangingDisk(state, from), LEASH_STATE_DIR: place, LEASH_MARK: state };
  const out = path.join(state, 'out');
  const stdout = fs.openSync(out, 'w');
  const run = leashRun(['sh', '-c', 'echo out; exit 6'], { plane, env, stdio: ['ignore', stdout, 'pipe'] });
  fs.closeSync(stdout);
  return { run, out };
}

/** From its first call, and in the middle of what is to be kept. */
const FROM = [1, 9];

test('a token file on a hung disk blocks one thread of the pool, and delays neither start nor signals nor end', async () => {
  const state = stateDirectory();
  const fifo = path.join(state, 'hangs');
  spawnSync('mkfifo', [fifo]);
  const hanging = sabotage(`
    import fs from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    const open = fs.open;
    fs.open = (file, ...args) => {
      if (file !== '/hung/token') return open(file, ...args);
      if (process.argv[2] === 'run') process.stderr.write('a read hangs\\n');
      return open(${JSON.stringify(fifo)}, 'r');
    };
    syncBuiltinESMExports();
  `);
  const run = leashRun(['sh', '-c', 'trap "exit 6" TERM; echo ready; while :; do sleep 1; done'], {
    plane: await controlPlane(),
    options: ['-v', '--token-file', '/hung/token'],
    env: { ...hanging, LEASH_STATE_DIR: path.join(state, 'place'), LEASH_MARK: state, LEASH_TOKEN: '' },
  });
  await waitFor('the command', () => run.stdout.includes('ready'));
  await waitFor('some attempts', () => run.stderr.split('the token file /hung/token does not respond').length > 2);
  run.kill('SIGTERM');
  expect(await run.exited()).toEqual(LEFT);
  expect(run.stderr.split('a read hangs')).toHaveLength(2);
});

test('a hung disk delays nothing, with or without a control plane', async () => {
  const plane = await controlPlane();
  // Side by side: each waits for the disk as long as it ever does.
  const runs = FROM.flatMap((from) => [runOnHangingDisk(from, OFFLINE), runOnHangingDisk(from, plane)]);
  for (const { run, out } of runs) {
    expect(await run.exited()).toEqual(LEFT);
    expect(fs.readFileSync(out, 'latin1')).toBe('out\n');
  }
  expect([...plane.runs.values()].map(({ isComplete }) => isComplete)).toEqual(FROM.map(() => true));
});

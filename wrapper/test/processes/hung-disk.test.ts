/** Disks that hang, which is worse than a disk that fails: no call ever comes back. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { controlPlane, leashRun, NODE, sabotage, stateDirectory } from '../support/leash.ts';

vi.setConfig({ testTimeout: 60_000 });

const OFFLINE = { plane: { url: 'http://127.0.0.1:1' } };

/** Every call to the file system that is not synchronous occupies a thread of the pool for ever from the n-th on. */
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

test.each([1, 9])('a disk that hangs from its call %i on holds nothing up', async (from) => {
  const state = stateDirectory();
  const env = {
    ...hangingDisk(state, from),
    LEASH_STATE_DIR: path.join(state, 'place'),
    LEASH_MARK: state,
  };
  const out = path.join(state, 'out');
  const stdout = fs.openSync(out, 'w');
  const run = leashRun(['sh', '-c', 'echo out; exit 6'], { ...OFFLINE, env, stdio: ['ignore', stdout, 'pipe'] });
  expect(await run.exited()).toEqual(LEFT);
  fs.closeSync(stdout);
  expect(fs.readFileSync(out, 'latin1')).toBe('out\n');

  const store = await controlPlane();
  const told = leashRun(['sh', '-c', 'echo out; exit 6'], { plane: store, env });
  expect(await told.exited()).toEqual(LEFT);
  expect((await store.run()).isComplete).toBe(true);
});

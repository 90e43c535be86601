/** Ending all that a command has started, for real: every process here is one. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { killTree } from '../../src/kill/kill-tree.ts';
import { bootId, isAnybodyAt, isRunning, refOf } from '../../src/processes/process-ref.ts';
import { openProcessTree, type ProcessTreeOrigin } from '../../src/processes/process-tree.ts';
import { psTable } from '../../src/processes/ps-table.ts';
import { watchTree } from '../../src/processes/watch-tree.ts';
import { end, hasCgroup, type Run, shell, WAIT } from '../support/process-tree-run.ts';
import { silent } from '../support/silent-log.ts';

const isRoot = process.getuid?.() === 0;

/** The same members, however they are ordered. */
function members(run: Run): number[] {
  return run.tree.members().sort((a, b) => a - b);
}

function sorted(pids: readonly number[]): number[] {
  return pids.toSorted((a, b) => a - b);
}

/** Waits until `count` have told their pids and all its processes, `others` besides these, are found. */
async function settled(run: Run, count: number, others = 0): Promise<number[]> {
  const pids = await run.announced(count);
  await waitFor(`${count + others} members`, () => members(run).length === count + others);
  expect(members(run)).toEqual(expect.arrayContaining(pids));
  return pids;
}

test.each([
  ['in the background', 'sh -c "$WAIT" & eval "$WAIT"', 0],
  ['in a session of its own', 'setsid sh -c "$WAIT" & eval "$WAIT"', 0],
  ['as a daemon that has forked twice', `(setsid sh -c 'sh -c "$WAIT" &' &); eval "$WAIT"`, 0],
  ['without the environment, in a session of its own', 'env -i setsid sh -c "$WAIT" & eval "$WAIT"', 0],
  // timeout makes a process group of its own.
  ['with no parent and no environment, in another group', '(env -i timeout 99 sh -c "$WAIT" &); eval "$WAIT"', 1],
])('a child %s ends with its leader', async (_, script, others) => {
  const run = shell(script);
  await settled(run, 2, others);
  await end(run);
});

test.runIf(process.platform === 'linux')(
  'a child without the environment that has called setsid is known when its parents are gone, if it was observed',
  async () => {
    const run = shell(`env -i setsid sh -c 'echo $$; setsid sh -c "$0"; :' "$WAIT" & eval "$WAIT"`);
    const pids = await run.announced(3);
    const before = openProcessTree(run.origin);
    const parent =
      pids.find(
        (pid) =>
          pid !== run.origin.leader.pid && execFileSync('ps', ['-o', 'args=', '-p', `${pid}`]).includes('setsid'),
      ) ?? 0;
    const child = pids.find((pid) => pid !== run.origin.leader.pid && pid !== parent) ?? 0;
    let observed = 0;
    const stop = watchTree(
      {
        observe: () => {
          const found = run.tree.observe();
          observed += found ?? 0;
          return found;
        },
        prepare: () => run.tree.prepare(),
      },
      silent,
    );
    onTestFinished(stop);
    await waitFor('both to be noticed', () => observed === 2);
    process.kill(parent, 'SIGKILL');
    process.kill(run.origin.leader.pid, 'SIGKILL');
    await waitFor('their end', () => !run.isAlive(parent) && !run.isAlive(run.origin.leader.pid));
    // Whoever has not seen where it comes from can't know that it belongs to the run.
    expect(before.members()).toEqual([]);
    expect(members(run)).toEqual([child]);
    await end(run);
  },
);

test('leader and grandchild that ignore SIGTERM get SIGKILL after the grace', async () => {
  const run = shell(`sh -c 'setsid sh -c "$STUBBORN" & eval "$WAIT"' & eval "$STUBBORN"`);
  await settled(run, 3);
  await end(run, 300);
});

test('what is stopped ends too', async () => {
  const run = shell('setsid sh -c "$WAIT" & eval "$WAIT"');
  const pids = await settled(run, 2);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await end(run);
});

test.runIf(hasCgroup)('in a cgroup nothing needs to be observed', async () => {
  const run = shell(WAIT, { cgroup: true });
  await settled(run, 1);
  expect(run.tree.observe()).toBeNull();
  await end(run);
});

test('zombies are nobody', async () => {
  // What the leader has become collects nothing.
  const run = shell(`sh -c 'echo $$; exec sleep 0.3' & eval "$WAIT"`);
  const pids = await run.announced(2);
  const child = pids.find((pid) => pid !== run.origin.leader.pid) ?? 0;
  await waitFor('the zombie', () => !run.isAlive(child));
  expect(refOf(child)).not.toBeNull();
  expect(members(run)).toEqual([run.origin.leader.pid]);
  await end(run);
});

test('the leader may exit first: the rest is a tree still', async () => {
  const run = shell('setsid sh -c "$STUBBORN" & sh -c "$STUBBORN" & sleep 0.1');
  const pids = await run.announced(2);
  await waitFor('the leader’s exit', () => run.tree.leaderHasExited());
  expect(members(run)).toEqual(sorted(pids));
  await end(run, 100);
});

test('helpers are left alone', async () => {
  const run = shell('sh -c "$WAIT" & eval "$WAIT"');
  const pids = await settled(run, 2);
  const helper = refOf(pids.find((pid) => pid !== run.origin.leader.pid) ?? 0);
  if (helper === null) throw new Error('it runs');
  const tree = openProcessTree(run.origin, [helper]);
  expect(await killTree(tree, { signal: 'SIGTERM', graceMs: 0 }, silent)).toEqual([]);
  expect(isRunning(helper)).toBe(true);
  await end(run);
});

test('a run inside a run ends with it, and does not end it', async () => {
  const run = shell('LEASH_RUN_inner_1=1 setsid sh -c "$WAIT" & eval "$WAIT"');
  const pids = await settled(run, 2);
  const innerPid = pids.find((pid) => pid !== run.origin.leader.pid) ?? 0;
  const leader = refOf(innerPid);
  if (leader === null) throw new Error('it runs');
  const tree = openProcessTree({ leader, cookie: 'LEASH_RUN_inner_1', pipes: [], cgroup: null });
  expect(tree.members()).toEqual([innerPid]);
  await end(run);
});

test('where there is no /proc, group and descendants are ended by what ps prints', async () => {
  const run = shell('sh -c "$STUBBORN" & setsid sh -c "$STUBBORN" & eval "$STUBBORN"');
  const pids = await settled(run, 3);
  const leader = refOf(run.origin.leader.pid, psTable);
  if (leader === null) throw new Error('it runs');
  const byPs = openProcessTree({ ...run.origin, leader }, [], {
    table: psTable,
    kill: process.kill,
    isAnybodyAt,
    openCgroup: () => null,
    ownPid: process.pid,
    bootId: bootId(),
    now: () => performance.now(),
    findReaper: () => null,
  });
  expect(sorted(byPs.members())).toEqual(sorted(pids));
  expect(byPs.leaderHasExited()).toBe(false);
  expect(await killTree(byPs, { signal: 'SIGTERM', graceMs: 0 }, silent)).toEqual([]);
  expect(byPs.leaderHasExited()).toBe(true);
  await run.closed();
});

const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'];

test.runIf(isRoot)('another user’s process is ended by root', async () => {
  const run = shell(`setpriv ${AS_NOBODY.join(' ')} env -i setsid sh -c "$WAIT" & eval "$WAIT"`);
  await settled(run, 2);
  await end(run);
});

/** Kills a process tree as another user; prints who is left. */
const KILL_AS_USER = `
  const [origin, treeFile, killFile] = process.argv.slice(1);
  const { openProcessTree } = await import(treeFile);
  const { killTree } = await import(killFile);
  const silent = { warn() {}, info() {} };
  const left = await killTree(openProcessTree(JSON.parse(origin)), { signal: 'SIGTERM', graceMs: 0 }, silent);
  console.log(JSON.stringify(left));`;
const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
/**
 * Whether an unprivileged user can run our code from where it lies. To run it takes long: limits.test.ts has a whole wrapper
 * of another user's.
 */
const nobodyCanRun =
  IS_PROOF &&
  isRoot &&
  spawnSync('setpriv', [
    ...AS_NOBODY,
    process.execPath,
    '-e',
    `import(${JSON.stringify(source('processes/process-tree.ts'))})`,
  ]).status === 0;

test.runIf(nobodyCanRun)('what may not be signalled is reported as a survivor, and the rest is ended', async () => {
  const run = shell(`setpriv ${AS_NOBODY.join(' ')} sh -c "$WAIT" & setsid sh -c "$WAIT" & eval "$WAIT"`);
  const pids = await settled(run, 3);
  const isNobodys = (pid: number) =>
    execFileSync('ps', ['-o', 'uid=', '-p', `${pid}`])
      .toString()
      .trim() === '65534';
  const [nobodys = 0] = pids.filter(isNobodys);
  // The one in a session of its own is root's, and its environment can't be read: its parent tells of it.
  const survivors = await asNobody(run.origin);
  expect(sorted(survivors)).toEqual(sorted(pids.filter((pid) => pid !== nobodys)));
  expect(run.isAlive(nobodys)).toBe(false);
  for (const pid of survivors) expect(run.isAlive(pid)).toBe(true);
  await end(run);
});

async function asNobody(origin: ProcessTreeOrigin): Promise<number[]> {
  const child = spawn('setpriv', [
    ...AS_NOBODY,
    process.execPath,
    '--input-type=module',
    '-e',
    KILL_AS_USER,
    JSON.stringify(origin),
    source('processes/process-tree.ts'),
    source('kill/kill-tree.ts'),
  ]);
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  await waitFor('who is left', () => said.endsWith('\n'));
  return JSON.parse(said);
}

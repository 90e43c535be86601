/** What carries a run's mark and was not meant by whoever ends the run: named and left alone, and ended when asked for. */
import { execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { createCgroup } from '../../src/processes/cgroup.ts';
import { findReaper } from '../../src/processes/reaper.ts';
import {
  controlPlane,
  leash,
  leashRun,
  marker,
  ofThisTest,
  shell,
  stateDirectory,
  WAIT,
  WITHOUT_CGROUP,
} from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { killWithGuardian, recordsIn } from '../support/state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const probe = createCgroup(`probe-${process.pid}`);
probe?.remove();
const places = [...(probe === null ? [] : [{ place: 'with', env: {} }]), { place: 'without', env: WITHOUT_CGROUP }];

/** One that was there before any run and starts what it is told to, in the environment that it is told: as `atd` or pm2. */
async function startServer(mark: string): Promise<{ readonly fifo: string; readonly pid: number }> {
  const fifo = path.join(temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const script = `while :; do read -r line <'${fifo}' && eval "$line"; done`;
  const server = spawn('sh', ['-c', script, `${mark}-server`], {
    env: { ...process.env, ...ofThisTest() },
    stdio: 'ignore',
  });
  const { pid = 0 } = server;
  await waitFor('the server', () => living(`${mark}-server`).includes(pid));
  return { fifo, pid };
}

/** Has `$0-hired` started by the server, starts `$0-kept` and `$0-daemon`, and waits. */
function job(fifo: string): string {
  return [
    "cookie=$(env | sed -n 's/^\\(LEASH_RUN_[0-9A-Z]\\{26\\}\\)=.*/\\1/p')",
    `echo "$cookie=1 sh -c '${WAIT}' $0-hired &" >'${fifo}'`,
    `LEASH_KEEP=1 sh -c '${WAIT}' $0-kept &`,
    `(setsid sh -c '${WAIT}' $0-daemon &)`,
    `sh -c '${WAIT}' $0-child & ${WAIT}`,
  ].join('\n');
}

async function allOf(mark: string): Promise<{ readonly hired: number; readonly kept: number }> {
  const kinds = ['hired', 'kept', 'daemon', 'child'];
  await waitFor('all of them', () => kinds.every((kind) => living(`${mark}-${kind}`).length > 0));
  const [hired = 0] = living(`${mark}-hired`);
  const [kept = 0] = living(`${mark}-kept`);
  return { hired, kept };
}

test.each(sampleOf(places))('$place a cgroup it is named, and a kill that includes it ends it', async ({ env }) => {
  const mark = marker();
  const server = await startServer(mark);
  const plane = await controlPlane();
  const started = leashRun(shell(job(server.fifo), mark), {
    plane,
    env: { ...env, LEASH_STATE_DIR: stateDirectory() },
  });
  await plane.started();
  const { hired, kept } = await allOf(mark);
  const first = newKillId();
  plane.kill(first);

  expect((await started.exited()).code).toBe(143);
  expect([...living(`${mark}-daemon`), ...living(`${mark}-child`)]).toEqual([]);
  expect([...living(`${mark}-hired`), ...living(`${mark}-kept`)]).toEqual([hired, kept]);
  const related = [
    expect.objectContaining({
      pid: hired,
      command_line: expect.stringContaining(`${mark}-hired`),
      parent: { pid: server.pid, command_line: expect.stringContaining(`${mark}-server`) },
      kept: false,
    }),
    expect.objectContaining({ pid: kept, command_line: expect.stringContaining(`${mark}-kept`), kept: true }),
  ];
  const gone = plane.of('killing').find(({ kill, phase }) => kill === first && phase === 'gone');
  expect(gone).toMatchObject({ survivors: [], unnamed_survivors: false });
  expect(gone?.related).toEqual(expect.arrayContaining(related));
  expect(started.stderr).toMatch(new RegExp(`^leash: related, not killed: .*${hired} sh`, 'm'));
  const { left_running: left = [] } = await plane.completed();
  expect(left.every((each) => each.relation !== undefined)).toBe(true);
  expect(left.map(({ pid }) => pid)).toEqual(expect.arrayContaining([hired, kept]));

  await waitFor('who keeps it in reach', () => plane.of('left_running').length > 0);
  const second = newKillId();
  plane.kill(second, { include: 'related' });
  await waitFor('that nothing is left', () => plane.of('left_running').at(-1)?.processes.length === 0);
  expect([...living(`${mark}-hired`), ...living(`${mark}-kept`)]).toEqual([]);
  const last = plane.of('killing').find(({ kill, phase }) => kill === second && phase === 'gone');
  expect(last).toMatchObject({ survivors: [] });
  expect(last?.related).toBeUndefined();
  expect(living(`${mark}-server`)).toEqual([server.pid]);
});

test('`leash orphans --kill` leaves it alone and names it', async () => {
  const mark = marker();
  const server = await startServer(mark);
  const env = { ...WITHOUT_CGROUP, LEASH_STATE_DIR: stateDirectory() };
  const started = leashRun(shell(job(server.fifo), mark), { env });
  const { hired, kept } = await allOf(mark);
  // The command does not wait for it.
  await waitFor('a record of it', () => recordsIn(env.LEASH_STATE_DIR).length === 1);
  await killWithGuardian(started.process, env.LEASH_STATE_DIR);
  await started.exited();
  const ended = leash(['orphans', '--kill'], { env });
  expect((await ended.exited()).code).toBe(0);
  expect(ended.stdout.toString()).toMatch(/: ended, .*; related, not killed: /);
  for (const pid of [hired, kept]) expect(ended.stdout.toString()).toContain(`${pid} sh (child of `);
  expect([...living(`${mark}-hired`), ...living(`${mark}-kept`)]).toEqual([hired, kept]);
  expect([...living(`${mark}-daemon`), ...living(`${mark}-child`)]).toEqual([]);
});

test('who is given the orphans is found out', async () => {
  // It gives up soon: on a busy machine it must be asked again.
  const reaper = await waitFor('an answer', findReaper);
  expect(reaper).not.toBe(process.pid);
  // Whoever it is, a shell's orphan is its child.
  const orphan = execFileSync('sh', ['-c', 'sleep 1000 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' }).trim();
  try {
    expect(execFileSync('ps', ['-o', 'ppid=', '-p', orphan], { encoding: 'utf8' }).trim()).toBe(`${reaper}`);
  } finally {
    process.kill(Number(orphan), 'SIGKILL');
  }
});

/** A wrapper that is killed: what becomes of its command, and of what the control plane knows. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { gate } from '../support/gate.ts';
import { controlPlane, leash, leashRun, marker, shell, stateDirectory, WITHOUT_CGROUP } from '../support/leash.ts';
import { endAll, living } from '../support/processes.ts';
import { guardians, leftIn, recordsIn, usersOf } from '../support/state.ts';

/** Output that has been unacked for this long is on disk: what is in memory dies with the wrapper. */
const segments = (state: string): number =>
  leftIn(state).flatMap((run) => {
    const directory = path.join(state, 'runs', run);
    const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
    // A file is there a moment before what is to stand in it.
    return names.filter((name) => name.startsWith('out-') && fs.statSync(path.join(directory, name)).size > 0);
  }).length;

test.each(sampleOf(['keep', 'kill']))(
  'killed in an outage (%s): what it had read is reported when that is over, and what became of the command',
  async (what) => {
    const plane = await controlPlane();
    const state = stateDirectory();
    await plane.stop();
    const mark = marker();
    const run = leashRun(shell('echo one; echo two >&2; sleep 1000; :', mark), {
      plane,
      // By flags: whoever comes after it knows no other way to the control plane.
      options: ['--url', plane.url, '--wrapper-death', what],
      env: { LEASH_STATE_DIR: state, LEASH_URL: '' },
    });
    await waitFor('the output', () => run.stderr.includes('two\n') && run.stdout.includes('one\n'));
    await waitFor('a record of it', () => recordsIn(state).length > 0);
    run.kill('SIGKILL');
    if (what === 'kill') await waitFor('the end of the command', () => living(mark).length === 0);
    await plane.listen();
    const stored = await plane.run();
    await waitFor('the output', () => stored.text('stdout') === 'one\n' && stored.text('stderr') === 'two\n');
    if (what === 'keep') {
      expect(stored.starts.at(-1)).toMatchObject({ phase: 'running', successor: 1 });
      expect(living(mark)).not.toEqual([]);
    } else {
      await waitFor('the end', () => stored.isComplete);
      expect(stored.completions[0]).toMatchObject({ reason: 'wrapper_died', exit_code: 253 });
      await waitFor('nothing left', () => leftIn(state).length === 0);
    }
  },
);

test.each(sampleOf(['keep', 'kill']))(
  'killed while the end is being reported (%s): it is reported all the same, at once',
  async (what) => {
    const plane = await controlPlane();
    plane.script.ackComplete = false;
    const state = stateDirectory();
    const run = leashRun(['sh', '-c', 'exit 5'], {
      plane,
      options: ['--wrapper-death', what],
      env: { LEASH_STATE_DIR: state },
    });
    const ends = () => recordsIn(state).filter((id) => fs.existsSync(path.join(state, 'runs', id, 'end.json')));
    await waitFor('an end on disk', () => ends().length === 1);
    run.kill('SIGKILL');
    plane.script.ackComplete = true;
    await waitFor('nothing left', () => leftIn(state).length === 0);
    expect(plane.of('complete').at(-1)).toMatchObject({ exit_code: 5 });
    expect(plane.of('start').at(-1)?.phase).toBe('ended');
    await waitFor('no guardian', () => guardians(state).length === 0);
  },
);

test('a machine that lost power: its runs are reported as lost by the next run', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  await plane.stop();
  const mark = marker();
  const run = leashRun(shell('echo one; sleep 1000; :', mark), {
    plane,
    env: { LEASH_STATE_DIR: state },
  });
  await waitFor('output on disk', () => segments(state) > 0);
  const [id = ''] = recordsIn(state);
  const directory = path.join(state, 'runs', id);
  await endAll(state, 'environ');
  await run.exited();
  // As it is after a restart: another boot, in which the pids are others'.
  const owner = fs.readdirSync(directory).find((name) => name.startsWith('owner@')) ?? '';
  fs.renameSync(path.join(directory, owner), path.join(directory, `owner@another-boot@${process.pid}@1`));
  const facts: { boot_id: string; process_tree: { leader: { bootId: string; pid: number } } } = JSON.parse(
    fs.readFileSync(path.join(directory, 'run.json'), 'utf8'),
  );
  facts.boot_id = 'another-boot';
  Object.assign(facts.process_tree.leader, { bootId: 'another-boot', pid: process.pid });
  fs.writeFileSync(path.join(directory, 'run.json'), JSON.stringify(facts));

  const orphans = leash(['orphans'], { env: { LEASH_STATE_DIR: state } });
  expect((await orphans.exited()).code).toBe(0);
  await plane.listen();
  await leashRun(['true'], { plane, env: { LEASH_STATE_DIR: state } }).exited();
  const stored = await waitFor('the lost run', () => plane.runs.get(id));
  await waitFor('that it is told as lost', () => stored.isLost);
  expect(stored.text('stdout')).toBe('one\n');
  expect(stored.starts[0]?.age_ms).toBeGreaterThanOrEqual(0);
  await waitFor('nothing left', () => leftIn(state).length === 0);
});

test.each(sampleOf([[], ['--merge']]))(
  'kept (%j), the command survives its next prints and ends as it would have',
  async (...options) => {
    const state = stateDirectory();
    const mark = marker();
    const go = gate();
    const ended = path.join(state, 'ended');
    const print = 'head -c 3000000 /dev/zero';
    const script = `${go.wait}; ${print} && ${print} >&2 && echo x >&2 && echo ok > ${ended}`;
    const run = leashRun(shell(script, mark), { options, env: { LEASH_STATE_DIR: state } });
    await waitFor('the command', () => living(mark).length > 0);
    await waitFor('a record of it', () => recordsIn(state).length > 0);
    run.kill('SIGKILL');
    await run.exited();
    go.open();
    await waitFor('its own end', () => fs.existsSync(ended));
    await waitFor('nothing of it', () => living(mark).length === 0);
    // Neither a guardian nor who reads for it is left.
    await waitFor('nothing beside it', () => usersOf(state).length === 0);
  },
);

/** A command with three others that left its group, two of which threw their environment away. */
function escapees(mark: string): string[] {
  const { wait } = gate();
  const other = `setsid sh -c '${wait}' ${mark}`;
  return shell(`${other} & env -i ${other} & (env -i ${other} &); trap '' TERM; ${wait}`, mark);
}

test('killed with it, the command is ended with all that it started', async () => {
  const state = stateDirectory();
  const mark = marker();
  const run = leashRun(escapees(mark), {
    options: ['--wrapper-death', 'kill', '--grace', '200ms'],
    env: { ...WITHOUT_CGROUP, LEASH_STATE_DIR: state },
  });
  await waitFor('all of it', () => living(mark).length >= 4);
  await waitFor('a record of it', () => recordsIn(state).length > 0);
  run.kill('SIGKILL');
  await waitFor('nothing of it', () => living(mark).length === 0);
  await waitFor('no guardian', () => usersOf(state).length === 0);
});

test.each(sampleOf(['no state directory', 'right after the start']))(
  'killed with it (%s), it is ended without a record of it',
  async (when) => {
    const state = stateDirectory();
    fs.writeFileSync(path.join(state, 'file'), '');
    const mark = marker();
    const run = leashRun(escapees(mark), {
      options: ['--wrapper-death', 'kill', '--grace', '0'],
      env: {
        ...WITHOUT_CGROUP,
        LEASH_STATE_DIR: when === 'no state directory' ? path.join(state, 'file') : state,
        LEASH_MARK: state,
      },
    });
    await waitFor('the command', () => living(mark).length >= 4);
    if (when === 'no state directory') await waitFor('its guardian', () => guardians(state).length > 0);
    run.kill('SIGKILL');
    if (when !== 'no state directory' && guardians(state).length === 0) return;
    await waitFor('nothing of it', () => living(mark).length === 0);
  },
);

test('killed while a grace is running, the wrapper takes its command along or leaves it, as requested', async () => {
  const state = stateDirectory();
  const [kept, killed] = [marker(), marker()];
  const script = "trap 'echo term' TERM; echo ready; while :; do sleep 0.2; done";
  const both = [
    leashRun(shell(script, kept), { env: { LEASH_STATE_DIR: state }, options: ['--grace', '1h'] }),
    leashRun(shell(script, killed), {
      env: { LEASH_STATE_DIR: state },
      options: ['--wrapper-death', 'kill', '--grace', '1s'],
    }),
  ];
  for (const run of both) {
    await waitFor('the command', () => run.stdout.includes('ready'));
    run.kill('SIGTERM');
    await waitFor('the grace', () => run.stdout.includes('term'));
    await waitFor('a record of both', () => recordsIn(state).length === 2);
  }
  for (const run of both) run.kill('SIGKILL');
  await waitFor('the end of one', () => living(killed).length === 0);
  expect(living(kept)).not.toEqual([]);
});

test('what a command left behind keeps printing after its end, for as long as it likes', async () => {
  const state = stateDirectory();
  const go = gate();
  const printed = path.join(state, 'printed');
  const child = `${go.wait}; head -c 1000000 /dev/zero && head -c 1000000 /dev/zero >&2 && echo ok > ${printed}`;
  const command = shell(`sh -c '${child}' ${marker()} & echo done`, marker());
  const run = leashRun(command, { env: { LEASH_STATE_DIR: state } });
  expect((await run.exited()).code).toBe(0);
  expect(run.stdout.toString()).toBe('done\n');
  go.open();
  await waitFor('two megabytes more', () => fs.existsSync(printed));
  await waitFor('nobody who reads them', () => usersOf(state).length === 0);
});

test('ended with its wrapper, a command is heard to its end, and can be forced from the control plane', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  const script = "trap 'echo got it' INT; echo ready; while :; do sleep 1000; done";
  const run = leashRun(shell(script, mark), {
    plane,
    options: ['--wrapper-death', 'kill', '--signal', 'INT', '--grace', '1h'],
    env: { LEASH_STATE_DIR: state },
  });
  const stored = await plane.run();
  await waitFor('ready', () => stored.text('stdout') === 'ready\n');
  run.kill('SIGKILL');
  await waitFor('the answer to the signal', () => stored.text('stdout') === 'ready\ngot it\n');
  plane.kill(newKillId(), { signal: 'SIGKILL' });
  await waitFor('the end', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ reason: 'operator', exit_code: 143 });
  expect(living(mark)).toEqual([]);
  expect(stored.gaps).toEqual([]);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { isAlive } from '../scripts/local/process-group.ts';
import { expectedLines, FOREVER, numberedLines } from './support/commands.ts';
import { CALM, eventNames, SHORT_DEADLINES } from './support/test-environment.ts';
import { useOwnTestEnvironment } from './support/use-test-environment.ts';

const environment = useOwnTestEnvironment(SHORT_DEADLINES);

/** Longer than any deadline an object may have set before it went down, all of them together. */
const LONG_OUTAGE_MS =
  Number(SHORT_DEADLINES.SILENCE_MS) + Number(SHORT_DEADLINES.PROBE_MS) + Number(SHORT_DEADLINES.DISCONNECT_MS);

async function sinceTheCrash(run: string): Promise<string[]> {
  const events = await environment().operator.events(run);
  const crash = events.findIndex((event) => event.type === 'disconnected' && event.cause === 'control_plane_away');
  expect(crash).toBeGreaterThan(-1);
  return eventNames(events.slice(crash));
}

test.runIf(IS_PROOF)(
  'a crash in the middle of a run loses no line, doubles none, and declares nothing lost',
  async () => {
    const LINES = 400;
    const wrapper = environment().wrapper({ job: 'counter', command: numberedLines(LINES, 0.03) });
    const quiet = environment().wrapper({ job: 'quiet', command: FOREVER });
    const run = await environment().runOf('counter');
    const quietRun = await environment().runOf('quiet');
    await environment().output(run.id, 'line 50\n');

    await environment().crash();
    await sleep(LONG_OUTAGE_MS);
    // From now on nobody can be too slow to return: whoever is lost was judged by a deadline of before.
    await environment().restart(CALM);

    // A kill right away, before anyone may be back: the aftermath is when it matters.
    const kill = await environment().kill('quiet');
    expect(kill).toMatchObject({
      state: 'settled',
      targets: [{ run: quietRun.id, state: 'gone', exit_code: 143 }],
    });
    expect((await quiet.exit).code).toBe(143);

    const output = await environment().output(run.id, `line ${LINES}\n`);
    expect(output).toBe(expectedLines(LINES));
    expect(await sinceTheCrash(run.id)).not.toContain('lost');
    expect(await environment().operator.run(run.id)).toMatchObject({ state: 'running', connected: true });
    expect(await sinceTheCrash(quietRun.id)).not.toContain('lost');

    const end = await environment().kill('counter');
    expect(end).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
    expect((await wrapper.exit).code).toBe(143);
    expect((await environment().operator.output(run.id)).text).toBe(expectedLines(LINES));
  },
);

test.runIf(IS_PROOF)('a crash does not start a run that was told to wait: it asks again, and waits on', async () => {
  const holder = environment().wrapper({ job: 'waits-on', command: FOREVER });
  const held = await environment().runOf('waits-on', ({ state }) => state === 'running');
  const command = ['sh', '-c', 'echo started'];
  const waiting = environment().wrapper({
    job: 'waits-on',
    machine: 'm2.example.com',
    command,
    flags: ['--overlap', 'wait'],
  });
  const { id } = await environment().runOf('waits-on', ({ state }) => state === 'waiting', 'm2.example.com');
  await environment().crash();
  await sleep(LONG_OUTAGE_MS);
  await environment().restart(CALM);
  await environment().run(id, ({ connected }) => connected, 'the waiting run to return');
  expect(await environment().operator.run(id)).toMatchObject({ state: 'waiting', blocked_by: [{ run: held.id }] });
  expect(waiting.printed).not.toContain('started');
  await environment().kill('waits-on', { run: held.id });
  expect((await waiting.exit).code).toBe(0);
  expect(waiting.printed).toContain('started');
  expect((await holder.exit).code).toBe(143);
});

test('a run that ends while the control plane is out of reach gets its true end afterwards', async () => {
  const network = await environment().proxy();
  const go = join(environment().directory, 'go');
  const command = ['sh', '-c', 'echo begun; while [ ! -e "$GO" ]; do sleep 0.1; done; echo finished; exit 7'];
  const wrapper = environment().wrapper({ job: 'ends-alone', command, env: { GO: go }, url: network.url });
  const run = await environment().runOf('ends-alone');
  await environment().output(run.id, 'begun');

  network.cut();
  await environment().run(run.id, ({ connected }) => !connected, 'the run to be cut off');
  await writeFile(go, '');
  // It does not wait for a control plane that is out of reach: what is left is told by a process in the background.
  expect((await wrapper.exit).code).toBe(7);
  network.restore();

  const ended = await environment().run(run.id, ({ final }) => final, 'the true end');
  expect(ended).toMatchObject({ state: 'failed', exit_code: 7, reason: 'exited' });
  expect(await environment().output(run.id, 'finished')).toBe('begun\nfinished\n');
});

test('a run whose wrapper is killed is taken over: its output continues, and a kill ends all of it', async () => {
  const network = await environment().proxy();
  const command = ['sh', '-c', 'echo begun; setsid sleep 1000 & while :; do sleep 0.2; echo more; done'];
  const wrapper = environment().wrapper({ job: 'adopted', command, url: network.url });
  const run = await environment().runOf('adopted');
  const before = await environment().output(run.id, 'begun');
  const { pid } = run;
  if (pid === null) throw new Error('the run has no process');

  wrapper.signal('SIGKILL');

  await waitFor('a successor', async () => eventNames(await environment().operator.events(run.id)).includes('adopted'));
  await environment().output(run.id, `${before}${'more\n'.repeat(5)}`);
  const kill = await environment().kill('adopted');
  await killed(kill.id);
  const ended = await environment().run(run.id, ({ final }) => final, 'the end of it');
  expect(ended).toMatchObject({ state: 'killed', exit_code: 143, successor: 1 });
  expect(isAlive(pid)).toBe(false);
  expect(await wrapper.leash('orphans')).toEqual({ code: 0, stdout: 'no orphans found\n' });
});

/** A run that a slow machine is late with counts as lost for a while, and its kill as settled: both are opened again. */
function killed(id: string): Promise<Kill> {
  return waitFor(`the kill ${id} to end what runs`, async () => {
    const kill = await environment().operator.getKill(id);
    return kill.targets.every(({ state }) => state === 'gone') ? kill : null;
  });
}

test('a kill that was stored and not yet delivered survives a crash', async () => {
  const network = await environment().proxy();
  const wrapper = environment().wrapper({ job: 'patient', command: FOREVER, url: network.url });
  const run = await environment().runOf('patient');
  await environment().output(run.id, 'ready');
  network.cut();
  await environment().run(run.id, ({ connected }) => !connected, 'the run to be cut off');
  const { kill } = await environment().operator.kill('patient', {});

  await environment().crash();
  await environment().restart();
  network.restore();

  expect(await killed(kill.id)).toMatchObject({ targets: [{ state: 'gone' }] });
  expect((await wrapper.exit).code).toBe(143);
  expect(await environment().settled(kill.id)).toMatchObject({ targets: [{ exit_code: 143 }] });
});

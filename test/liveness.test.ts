import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { FOREVER } from './support/commands.ts';
import { eventNames, SHORT_DEADLINES } from './support/test-environment.ts';
import { useOwnTestEnvironment } from './support/use-test-environment.ts';

const environment = useOwnTestEnvironment(SHORT_DEADLINES);

test('a run that falls silent is suspected, then lost; coming back, it runs again and gets its true end', async () => {
  const network = await environment().proxy();
  const go = join(environment().directory, 'go');
  const command = ['sh', '-c', 'echo ready; while [ ! -e "$GO" ]; do sleep 0.1; done; echo over; exit 5'];
  const wrapper = environment().wrapper({ job: 'silent', command, url: network.url, env: { GO: go } });
  const run = await environment().runOf('silent');
  await environment().output(run.id, 'ready');

  // Half open: neither end hears of it.
  network.stall();
  const lost = await environment().run(run.id, ({ state }) => state === 'lost', 'the run to be lost');
  expect(lost).toMatchObject({ exit_code: 253, reason: 'silence', final: false });
  const names = eventNames(await environment().operator.events(run.id));
  expect(names.indexOf('suspected')).toBeGreaterThan(-1);
  expect(names.indexOf('suspected')).toBeLessThan(names.indexOf('lost'));
  expect(wrapper.isRunning).toBe(true);

  network.restore();
  const back = await environment().run(run.id, ({ state }) => state === 'running', 'the run to come back');
  expect(back).toMatchObject({ exit_code: null, ended_at: null, connected: true });

  await writeFile(go, '');
  const ended = await environment().run(run.id, ({ final }) => final, 'its true end');
  expect(ended).toMatchObject({ state: 'failed', exit_code: 5, reason: 'exited' });
  expect((await environment().operator.output(run.id)).text).toBe('ready\nover\n');
  const all = eventNames(await environment().operator.events(run.id));
  expect(all.indexOf('returned')).toBeGreaterThan(all.indexOf('lost'));
  // A slow machine may have been lost, and have returned, once more.
  expect(all.lastIndexOf('returned')).toBeGreaterThan(all.lastIndexOf('lost'));
  expect(all.indexOf('ended')).toBeGreaterThan(all.lastIndexOf('returned'));
});

test.runIf(IS_PROOF)('a machine that is gone is lost, and stays so', async () => {
  const wrapper = environment().wrapper({ job: 'unplugged', command: FOREVER });
  const run = await environment().runOf('unplugged');
  if (run.pid !== null) wrapper.note(run.pid);
  await environment().output(run.id, 'ready');

  wrapper.losePower();

  const lost = await environment().run(run.id, ({ state }) => state === 'lost', 'the run to be lost');
  expect(lost).toMatchObject({ exit_code: 253, reason: 'silence', final: false, connected: false });
});

test.runIf(IS_PROOF)('a kill for a lost run gets it when it comes back', async () => {
  const network = await environment().proxy();
  const wrapper = environment().wrapper({ job: 'late', command: FOREVER, url: network.url });
  const run = await environment().runOf('late');
  await environment().output(run.id, 'ready');
  network.cut();
  await environment().run(run.id, ({ state }) => state === 'lost', 'the run to be lost');
  const { kill } = await environment().operator.kill('late', {});

  network.restore();

  await environment().run(run.id, ({ state }) => state === 'killed', 'the run to be killed');
  expect((await wrapper.exit).code).toBe(143);
  expect(await environment().settled(kill.id)).toMatchObject({
    state: 'settled',
    targets: [{ state: 'gone', exit_code: 143 }],
  });
});

test('a kill sent into a link that is dead without a word is sent again', async () => {
  const network = await environment().proxy();
  const wrapper = environment().wrapper({ job: 'half-open', command: FOREVER, url: network.url });
  const run = await environment().runOf('half-open');
  await environment().output(run.id, 'ready');
  network.stall();
  const { kill } = await environment().operator.kill('half-open', { grace_seconds: 1 });
  expect(wrapper.isRunning).toBe(true);

  network.restore();
  expect(await environment().settled(kill.id)).toMatchObject({
    state: 'settled',
    targets: [{ state: 'gone', exit_code: 143 }],
  });
  expect((await wrapper.exit).code).toBe(143);
  expect(await environment().operator.run(run.id)).toMatchObject({ state: 'killed', exit_code: 143 });
});

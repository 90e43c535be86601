import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FOREVER } from './support/commands.ts';
import { useWorld } from './support/use-world.ts';
import { eventNames } from './support/world.ts';

const world = useWorld();

test('a run that falls silent is suspected, then lost; coming back, it runs again and gets its true end', async () => {
  const network = await world.current.proxy();
  const go = join(world.current.directory, 'go');
  const command = ['sh', '-c', 'echo ready; while [ ! -e "$GO" ]; do sleep 0.1; done; echo over; exit 5'];
  const wrapper = world.current.wrapper({ job: 'silent', command, url: network.url, env: { GO: go } });
  const run = await world.current.runOf('silent');
  await world.current.output(run.id, 'ready');

  // Half open: neither end hears of it.
  network.stall();
  const lost = await world.current.run(run.id, ({ state }) => state === 'lost', 'the run to be lost');
  expect(lost).toMatchObject({ exit_code: 253, reason: 'silence', final: false });
  const names = eventNames(await world.current.operator.events(run.id));
  expect(names.indexOf('suspected')).toBeGreaterThan(-1);
  expect(names.indexOf('suspected')).toBeLessThan(names.indexOf('lost'));
  expect(wrapper.isRunning).toBe(true);

  network.restore();
  const back = await world.current.run(run.id, ({ state }) => state === 'running', 'the run to come back');
  expect(back).toMatchObject({ exit_code: null, ended_at: null, connected: true });

  await writeFile(go, '');
  const ended = await world.current.run(run.id, ({ final }) => final, 'its true end');
  expect(ended).toMatchObject({ state: 'failed', exit_code: 5, reason: 'exited' });
  expect((await world.current.operator.output(run.id)).text).toBe('ready\nover\n');
  const all = eventNames(await world.current.operator.events(run.id));
  expect(all.filter((name) => ['suspected', 'lost', 'returned', 'ended'].includes(name))).toEqual([
    'suspected',
    'lost',
    'returned',
    'ended',
  ]);
});

test('a machine that is gone is lost, and stays so', async () => {
  const wrapper = world.current.wrapper({ job: 'unplugged', command: FOREVER });
  const run = await world.current.runOf('unplugged');
  if (run.pid !== null) wrapper.note(run.pid);
  await world.current.output(run.id, 'ready');

  wrapper.losePower();

  const lost = await world.current.run(run.id, ({ state }) => state === 'lost', 'the run to be lost');
  expect(lost).toMatchObject({ exit_code: 253, reason: 'silence', final: false, connected: false });
});

test('a kill for a lost run gets it when it comes back', async () => {
  const network = await world.current.proxy();
  const wrapper = world.current.wrapper({ job: 'late', command: FOREVER, url: network.url });
  const run = await world.current.runOf('late');
  await world.current.output(run.id, 'ready');
  network.cut();
  await world.current.run(run.id, ({ state }) => state === 'lost', 'the run to be lost');
  const { command } = await world.current.operator.kill('late', {});

  network.restore();

  await world.current.run(run.id, ({ state }) => state === 'killed', 'the run to be killed');
  expect((await wrapper.exit).code).toBe(143);
  expect(await world.current.operator.command(command.id, 30)).toMatchObject({
    state: 'settled',
    targets: [{ state: 'gone', exit_code: 143 }],
  });
});

/** A client that behaves as Saltpeter's unmodified wrapper, over a network that breaks. */

import { beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { saltpeterNames, TestSaltpeterWrapper } from '#testing/test-saltpeter-wrapper';
import { ApiClient } from '../scripts/local/api-client.ts';
import { eventNames } from './support/test-environment.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const names = saltpeterNames('saltpeter-e2e');
let secret = '';

beforeAll(async () => {
  ({ secret } = await environment().admin.createToken({
    name: 'saltpeter',
    scopes: ['saltpeter'],
    jobs: names.job_name,
  }));
});

/** As the wrapper does it: all that it knows is a URL. */
function connect(url: string): Promise<TestSaltpeterWrapper> {
  const { host } = new URL(url);
  const socket = new WebSocket(`ws://leash:${secret}@${host}/compat/saltpeter`);
  const wrapper = new TestSaltpeterWrapper(names, socket);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(wrapper));
    socket.on('error', reject);
  });
}

test('output and a kill survive broken connections, and nothing is stored twice', async () => {
  const proxy = await environment().proxy();
  const first = await connect(proxy.url);
  await first.start();
  const run = await environment().runOf(names.job_name);
  await first.printed(0, 'begin ');
  const large = `${'ü'.repeat(1_500_000)} `;
  await first.printed(1, large);
  // Whether the last frame has arrived when the connection breaks, nobody knows.
  first.print(2, 'unsure ');
  proxy.cut();
  await first.wasClosed();
  proxy.restore();

  const second = await connect(proxy.url);
  second.print(2, 'unsure ');
  await second.acked(2);
  second.print(2, 'unsure ');
  second.print(4, 'too early');
  expect(await second.reply('nack')).toMatchObject({ expected_seq: 3, received_seq: 4 });
  await second.printed(3, 'end');
  const { kill } = await environment().operator.kill(names.job_name, { reason: 'test' });
  await second.reply('kill');
  proxy.cut();
  await second.wasClosed();
  proxy.restore();

  const third = await connect(proxy.url);
  third.say('heartbeat');
  await third.reply('kill');
  third.print(4, '\n[Job terminated by user request]\n', 'stderr');
  third.complete(-15, 5);
  await third.ack('complete');

  expect(await environment().settled(kill.id)).toMatchObject({ targets: [{ state: 'gone', exit_code: 143 }] });
  expect(await environment().operator.run(run.id)).toMatchObject({
    state: 'killed',
    exit_code: 143,
    signal: 'SIGTERM',
    wrapper: 'saltpeter',
    final: true,
  });
  const output = await environment().output(run.id, 'request]');
  expect(output).toBe(`begin ${large}unsure end\n[Job terminated by user request]\n`);
  const happened = eventNames(await environment().operator.events(run.id));
  expect(happened.filter((name) => name !== 'connected' && name !== 'disconnected')).toEqual([
    'started',
    'kill_requested',
    'kill_sent',
    'ended',
  ]);
});

test('its token, which the environment of each command has, shows nothing and stops nothing', async () => {
  const holder = new ApiClient(environment().controlPlane.url, secret);
  await expect(holder.kill(names.job_name)).rejects.toThrow('403');
  await expect(holder.runs()).rejects.toThrow('403');
});

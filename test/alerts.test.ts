import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { createAlert, startReceiver } from './support/alerts.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

test('a run that fails is one signed message with what it takes to act, and its success is a recovery', async () => {
  const receiver = await startReceiver();
  const { channel } = receiver;
  const on = ['failed', 'recovered'];
  const alert = await createAlert(environment(), { name: 'nights', jobs: 'alerting', tags: ['prod'], on, channel });
  const flags = ['--tag', 'prod', '--owner', 'data team', '--runbook', 'https://wiki.example.com/alerting'];
  const start = (command: string) => environment().wrapper({ job: 'alerting', command: ['sh', '-c', command], flags });

  expect((await start('echo copying; echo no space left >&2; exit 7').exit).code).toBe(7);
  const message = await waitFor('the message', () => receiver.messages()[0]);
  const run = await environment().runOf('alerting');
  expect(message).toMatchObject({
    alert: { name: 'nights' },
    kind: 'failed',
    job: 'alerting',
    machine: run.machine,
    run: run.id,
    exit_code: 7,
    summary: expect.stringMatching(/^exit code 7 after /),
    tail: expect.stringMatching(/no space left/),
    tags: ['prod'],
    owner: 'data team',
    runbook: 'https://wiki.example.com/alerting',
    count: 1,
  });
  expect(message.duration_ms).toBe(Date.parse(run.ended_at ?? '') - Date.parse(run.started_at));
  expect(message.links).toEqual({ page: `${environment().url}/runs/${run.id}?job=alerting` });
  await waitFor('its delivery to be recorded', async () => (await alert()).deliveries[0]?.state === 'delivered');

  expect((await start('exit 0').exit).code).toBe(0);
  // The rule sends it a minute after its last message at the earliest: that it has arrived is enough here.
  const deliveries = await waitFor('the recovery', async () => {
    const all = (await alert()).deliveries;
    return all.length === 2 ? all : undefined;
  });
  expect(deliveries).toMatchObject([{ occurrences: 1 }, { occurrences: 1, state: 'delivered', attempts: 1 }]);
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { groupMembers } from '../scripts/local/process-group.ts';
import { FOREVER, STUBBORN } from './support/commands.ts';
import { eventNames } from './support/test-environment.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

/** The process group of a run's kill. */
function groupOf(run: { pid: number | null }): number {
  if (run.pid === null) throw new Error('the run has no process');
  return run.pid;
}

describe('a kill over HTTPS', () => {
  test('is answered when it is settled: the run’s own signal sufficed', async () => {
    // A grace that no machine is too slow for.
    const flags = ['--signal', 'INT', '--grace', '10m'];
    const wrapper = environment().wrapper({ job: 'polite', command: FOREVER, flags });
    const run = await environment().runOf('polite');
    await environment().output(run.id, 'ready');

    const answer = await environment().operator.kill('polite', { reason: 'test' }, 30);

    expect(answer.status).toBe(answer.kill.state === 'settled' ? 200 : 202);
    const kill = await environment().settled(answer.kill.id);
    expect(kill).toMatchObject({
      job: 'polite',
      state: 'settled',
      reason: 'test',
      targets: [{ run: run.id, machine: 'm1.example.com', state: 'gone', exit_code: 143, survivors: [] }],
    });
    expect(await wrapper.exit).toEqual({ code: 143, signal: null });
    expect(groupMembers(groupOf(run))).toEqual([]);
    expect(await environment().operator.run(run.id)).toMatchObject({
      state: 'killed',
      exit_code: 143,
      reason: 'operator',
      final: true,
    });
    const events = await environment().operator.events(run.id);
    expect(events.find(({ type }) => type === 'kill_requested')).toMatchObject({ signal: 'SIGINT', grace_ms: 600_000 });
    expect(events.find(({ type }) => type === 'kill_progress')).toMatchObject({ phase: 'term', signal: 'SIGINT' });
    const names = eventNames(events);
    expect(names.filter((name) => name !== 'connected' && name !== 'disconnected')).toEqual([
      'started',
      'kill_requested',
      'kill_sent',
      'kill_delivered',
      'term',
      'gone',
      'ended',
    ]);
    expect(await environment().operator.getKill(kill.id)).toEqual(kill);
  });

  test('proceeds to SIGKILL for a command and a child that ignore SIGTERM', async () => {
    const wrapper = environment().wrapper({ job: 'stubborn', command: STUBBORN });
    const run = await environment().runOf('stubborn');
    await environment().output(run.id, 'ready');
    expect(groupMembers(groupOf(run)).length).toBeGreaterThanOrEqual(2);

    const kill = await environment().kill('stubborn', { grace_seconds: 0.5 });

    expect(kill.targets).toMatchObject([{ state: 'gone', exit_code: 143, survivors: [] }]);
    expect(groupMembers(groupOf(run))).toEqual([]);
    expect((await wrapper.exit).code).toBe(143);
    const names = eventNames(await environment().operator.events(run.id));
    expect(names.filter((name) => ['term', 'kill', 'gone', 'ended'].includes(name))).toEqual([
      'term',
      'kill',
      'gone',
      'ended',
    ]);
  });

  test('with SIGKILL skips the grace of a kill in progress', async () => {
    environment().wrapper({ job: 'hurry', command: STUBBORN });
    const run = await environment().runOf('hurry');
    await environment().output(run.id, 'ready');
    const first = await environment().operator.kill('hurry', { grace_seconds: 3600 });
    await environment().event(run.id, (event) => event.type === 'kill_progress', 'SIGTERM to be sent');

    const second = await environment().kill('hurry', { signal: 'SIGKILL', grace_seconds: 0 });

    expect(second).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
    expect(await environment().settled(first.kill.id)).toMatchObject({ state: 'settled' });
    expect(groupMembers(groupOf(run))).toEqual([]);
  });

  test('hits one machine, and then what is left of the instance', async () => {
    const one = environment().wrapper({ job: 'twins', instance: 'both', machine: 'm1', command: FOREVER });
    const two = environment().wrapper({ job: 'twins', instance: 'both', machine: 'm2', command: FOREVER });
    const other = environment().wrapper({ job: 'twins', instance: 'other', machine: 'm2', command: FOREVER });
    const runs = await waitFor('three runs', async () => {
      const found = await environment().operator.runs({ job: 'twins' });
      return found.length === 3 ? found : null;
    });

    const byMachine = await environment().kill('twins', { machine: 'm1' });
    expect(byMachine).toMatchObject({ state: 'settled', targets: [{ machine: 'm1', state: 'gone' }] });
    expect((await one.exit).code).toBe(143);
    expect([two.isRunning, other.isRunning]).toEqual([true, true]);

    const byInstance = await environment().kill('twins', { instance: 'both' });
    expect(byInstance).toMatchObject({ state: 'settled', targets: [{ machine: 'm2', state: 'gone' }] });
    expect((await two.exit).code).toBe(143);
    expect(other.isRunning).toBe(true);

    const stillThere = runs.find((run) => run.instance === 'other');
    const byRun = await environment().kill('twins', { run: stillThere?.id ?? '' });
    expect(byRun).toMatchObject({ state: 'settled', targets: [{ run: stillThere?.id, state: 'gone' }] });
    expect((await other.exit).code).toBe(143);
  });

  test('issued while the wrapper is cut off reaches it when it returns', async () => {
    const network = await environment().proxy();
    const wrapper = environment().wrapper({ job: 'cut-off', command: FOREVER, url: network.url });
    const run = await environment().runOf('cut-off');
    await environment().output(run.id, 'ready');
    network.cut();
    await environment().run(run.id, ({ connected }) => !connected, 'the run to be cut off');

    const { status, kill } = await environment().operator.kill('cut-off', { grace_seconds: 1 });
    expect(status).toBe(202);
    expect(await environment().operator.getKill(kill.id)).toMatchObject({ targets: [{ state: 'pending' }] });
    expect(wrapper.isRunning).toBe(true);

    network.restore();
    expect(await environment().settled(kill.id)).toMatchObject({
      state: 'settled',
      targets: [{ state: 'gone', exit_code: 143 }],
    });
    expect((await wrapper.exit).code).toBe(143);
  });

  test('can be followed by one request id from the answer through the control plane to the machine', async () => {
    const logFile = join(environment().directory, 'followed.log');
    const wrapper = environment().wrapper({ job: 'followed', command: FOREVER, flags: ['--log', logFile] });
    await environment().output((await environment().runOf('followed')).id, 'ready');

    const response = await environment().operator.request('POST', '/jobs/followed/kill?wait=30', {});

    expect(response.ok).toBe(true);
    const request = response.headers.get('Leash-Request-Id') ?? '';
    expect(request).toMatch(/^[0-9A-Z]{26}$/);
    const { kill } = (await response.json()) as { kill: { id: string; request_id: string } };
    expect(kill.request_id).toBe(request);
    await wrapper.exit;
    expect(await readFile(logFile, 'utf8')).toContain(`killed by operator (request ${request})`);
    const story = await waitFor('the control plane to have logged the kill and its call', () => {
      const lines = environment()
        .log.split('\n')
        .filter((line) => line.includes(request));
      const events = lines.map((line) => (JSON.parse(line.slice(line.indexOf('{'))) as { event: string }).event);
      return events.includes('request') && events.includes('kill_settled') ? events : null;
    });
    // A kill that D1 holds is sent before the object stores it, so these two come in either order.
    const [first, second, ...later] = story.filter((event) => event !== 'request');
    expect([first, second].sort()).toEqual(['kill_accepted', 'kill_sent']);
    expect(later).toEqual(['kill_progress', 'kill_progress', 'kill_settled']);
    const entries = await environment().controlPlane.query('SELECT detail FROM audit WHERE request_id = ?', request);
    expect(JSON.stringify(entries)).toContain(kill.id);
  });

  test('sent twice under one key is one kill', async () => {
    environment().wrapper({ job: 'once', command: FOREVER });
    await environment().runOf('once');
    const postKill = () =>
      fetch(`${environment().url}/api/v1/jobs/once/kill`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${environment().operatorToken}`,
          'content-type': 'application/json',
          'idempotency-key': 'the-same',
        },
        body: '{}',
      }).then(async (response) => (await response.json()) as { kill: { id: string } });

    const [first, second] = [await postKill(), await postKill()];

    expect(second.kill.id).toBe(first.kill.id);
  });
});

/** Runs that ask before they start: real wrappers, and the real control plane. */
import { expect, test } from 'vitest';
import { FOREVER } from './support/commands.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

const PRINT_FENCE = ['sh', '-c', 'echo "fence $LEASH_FENCE of $LEASH_RUN_ID"'];

function fenceIn(printed: string): number {
  return Number(/^fence (\d+) of /m.exec(printed)?.[1]);
}

test('beside a run that holds the lock one is skipped, one is killed as it waits, and one starts after it', async () => {
  const job = 'asks';
  const asking = (
    overlap: string,
    machine: string,
    command: readonly string[] = PRINT_FENCE,
    url = environment().url,
  ) => environment().wrapper({ job, machine, command, url, flags: ['--overlap', overlap] });
  const holder = asking('skip', 'ask1.example.com', FOREVER);
  const held = await environment().runOf(job, ({ state }) => state === 'running');
  expect(held.fence).toBeGreaterThan(0);

  const skipped = asking('skip', 'ask2.example.com');
  expect((await skipped.exit).code).toBe(75);
  expect(skipped.printed).toContain(`not started: run ${held.id} on ask1.example.com is in the way`);
  const blockedBy = [{ run: held.id, machine: 'ask1.example.com', started_at: held.started_at }];
  expect(await environment().runOf(job, ({ final }) => final, 'ask2.example.com')).toMatchObject({
    state: 'skipped',
    reason: 'overlap',
    exit_code: 75,
    blocked_by: blockedBy,
    fence: null,
  });

  const killed = asking('wait', 'ask3.example.com');
  const isWaiting = ({ state }: { state: string }) => state === 'waiting';
  const toKill = await environment().runOf(job, isWaiting, 'ask3.example.com');
  expect(toKill).toMatchObject({ pid: null, blocked_by: blockedBy });
  const kill = await environment().kill(job, { run: toKill.id });
  expect(kill.targets).toMatchObject([{ state: 'gone', exit_code: 143 }]);
  expect((await killed.exit).code).toBe(143);
  expect(killed.printed).not.toContain('fence ');

  // It is out of reach when its turn comes, and asks again.
  const network = await environment().proxy();
  const waiting = asking('wait', 'ask4.example.com', PRINT_FENCE, network.url);
  const { id } = await environment().runOf(job, isWaiting, 'ask4.example.com');
  network.cut();
  await environment().run(id, ({ connected }) => !connected, 'the waiting run to be cut off');
  await environment().kill(job, { run: held.id });
  expect((await holder.exit).code).toBe(143);
  expect(waiting.isRunning).toBe(true);
  network.restore();
  expect((await waiting.exit).code).toBe(0);
  expect(fenceIn(waiting.printed)).toBeGreaterThan(held.fence ?? 0);
  expect(waiting.printed).toContain(` of ${id}\n`);
  expect(await environment().run(id, ({ final }) => final, 'its end')).toMatchObject({ state: 'succeeded' });
});

test('kill-old ends the run in the way, and starts when it is gone; a command that can’t start frees the lock', async () => {
  const job = 'replaces';
  const flags = ['--overlap', 'kill-old', '--overlap-scope', 'machine'];
  const old = environment().wrapper({ job, command: FOREVER });
  const before = await environment().runOf(job, ({ state }) => state === 'running');
  const broken = environment().wrapper({ job, command: ['/nowhere/at-all'], flags });
  expect((await broken.exit).code).toBe(255);
  expect((await old.exit).code).toBe(143);
  expect(await environment().run(before.id, ({ final }) => final, 'the end of the old run')).toMatchObject({
    state: 'killed',
  });
  expect(await environment().runOf(job, ({ final }) => final)).toMatchObject({
    state: 'errored',
    reason: 'start_failed',
    fence: expect.any(Number),
  });
  const next = environment().wrapper({ job, command: PRINT_FENCE, flags: ['--overlap', 'skip'] });
  expect((await next.exit).code).toBe(0);
});

/** Asking before the start, over a link to a control plane on this machine. */
import { performance } from 'node:perf_hooks';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Answer } from '#protocol/admission';
import { FakeControlPlane } from '#testing/fake-control-plane';
import { waitFor } from '#testing/wait-for';
import { type AskResult, ask } from '../../src/ask/ask.ts';
import type { AskOptions } from '../../src/ask/ask-options.ts';
import { AskingLink } from '../../src/ask/asking-link.ts';
import { OUT_OF_REACH_MS } from '../../src/ask/patience.ts';
import { OutputBuffer } from '../../src/buffer/output-buffer.ts';
import type { TerminatingSignal } from '../../src/host/local-signals.ts';
import { RunReport } from '../../src/link/run-report.ts';
import { newRunId, newRunKey } from '../../src/run/identity.ts';
import { silent } from '../support/silent-log.ts';

const OPTIONS: AskOptions = {
  overlap: 'wait',
  scope: 'machine',
  // No test waits for it.
  timeoutMs: null,
  ifUnreachable: 'run',
  waitTimeoutMs: null,
  skipExitCode: 75,
};

async function controlPlane(): Promise<FakeControlPlane> {
  const plane = await new FakeControlPlane().listen();
  onTestFinished(async () => {
    await plane.stop();
    expect(plane.violations).toEqual([]);
  });
  return plane;
}

function asks({ url }: FakeControlPlane, options: Partial<AskOptions> = {}) {
  const facts = {
    run: newRunId(),
    run_key: newRunKey(),
    pid: null,
    command_line: 'backup',
    version: '0',
    limits: { timeout_ms: null, grace_ms: 0 },
  };
  const controlPlane = {
    baseUrl: url.replace('http', 'ws'),
    token: { kind: 'value', token: 'secret-token' },
    caFile: null,
    proxy: {},
  } as const;
  const address = { controlPlane, job: 'test', run: facts.run, instance: 'test_1', machine: 'here' };
  const link = new AskingLink(address, facts, { overlap: 'wait', scope: 'machine', skip_exit_code: 75 }, silent);
  const waits: Answer[] = [];
  let terminate: (signal: TerminatingSignal) => void = () => {};
  let result: AskResult | null = null;
  const signals = {
    onTerminate: (end: typeof terminate) => {
      terminate = end;
    },
    queue: () => {
      terminate = () => {};
    },
  };
  const asked = ask(link, { ...OPTIONS, ...options }, signals, (answer) => waits.push(answer));
  void asked.then((known) => {
    result = known;
  });
  const run = (pid: number | null) =>
    new RunReport(
      { ...facts, pid },
      new OutputBuffer(1_000),
      () => 5,
      () => [],
    );
  return { link, asked, waits, result: () => result, run, interrupt: () => terminate('SIGINT') };
}

test('the question is the first start, and the run goes on with the link that asked', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'start', fence: 3 };
  const { link, asked, run } = asks(plane);
  expect(await asked).toEqual({ kind: 'start', fence: 3 });
  expect((await plane.started()).question).toEqual({ overlap: 'wait', scope: 'machine', skip_exit_code: 75 });
  const record = run(4711);
  const terms: unknown[] = [];
  plane.script.outputLimitBytes = 1_000_000;
  const open = await link.handOver(
    record,
    {
      kill: () => {},
      changed: () => {},
      paced: (intervalMs) => terms.push({ intervalMs }),
      watched: (isWatched) => terms.push({ isWatched }),
      outputLimit: (limitBytes) => terms.push({ limitBytes }),
    },
    true,
  );
  onTestFinished(() => open.close());
  await waitFor('what the second ack says', () => terms.length === 3);
  expect(terms).toEqual([{ intervalMs: expect.any(Number) }, { isWatched: true }, { limitBytes: 1_000_000 }]);
  expect(plane.of('start')).toMatchObject([
    { phase: 'waiting', pid: null, age_ms: 0 },
    { phase: 'running', pid: 4711, age_ms: 5 },
  ]);
  expect(plane.of('start')[1]?.question).toBeUndefined();
  expect(plane.attempts).toBe(1);
  record.output.append('stdout', Buffer.from('out'));
  open.outputGrew();
  await waitFor('the output', () => plane.stored.toString() === 'out');
});

test('a run that was told to wait asks again after a restart, and starts when it is told to', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'wait', reason: 'overlap' };
  const { asked, waits, result } = asks(plane);
  await waitFor('the answer', () => waits.length === 1);
  await plane.stop();
  await plane.listen();
  await waitFor('the same answer', () => waits.length === 2);
  expect(result()).toBeNull();
  expect(plane.of('start').map(({ phase }) => phase)).toEqual(['waiting', 'waiting']);
  plane.answer({ decision: 'start', fence: 4 });
  expect(await asked).toEqual({ kind: 'start', fence: 4 });
});

test('a machine that was asleep while its run waited gets the time to connect again', async () => {
  let shiftMs = 0;
  const realNow = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => realNow() + shiftMs);
  onTestFinished(() => void vi.restoreAllMocks());
  const plane = await controlPlane();
  plane.script.answer = { decision: 'wait' };
  const { link, asked, waits, result } = asks(plane);
  await waitFor('the answer', () => waits.length === 1);
  shiftMs = 2 * OUT_OF_REACH_MS;
  await plane.stop();
  await waitFor('the end of the connection', () => !link.isReachable);
  expect(result()).toBeNull();
  shiftMs += OUT_OF_REACH_MS;
  link.onChange();
  expect(await asked).toEqual({ kind: 'unreachable' });
});

test('an older control plane does not know the question, and takes the run that starts without an answer', async () => {
  const plane = await controlPlane();
  plane.script.knowsWaiting = false;
  const { link, asked, run } = asks(plane);
  expect(await asked).toEqual({ kind: 'unreachable' });
  const open = await link.handOver(run(1), { kill: () => {}, changed: () => {} }, true);
  onTestFinished(() => open.close());
  await waitFor('the link', () => open.state === 'connected');
  expect(plane.of('start').map(({ phase }) => phase)).toEqual(['waiting', 'running']);
  expect(plane.attempts).toBe(1);
});

test('a refusal is an answer to nobody', async () => {
  const plane = await controlPlane();
  plane.script.refuse = 403;
  const { link, asked } = asks(plane);
  expect(await asked).toEqual({ kind: 'unreachable' });
  expect(link.why).toContain('(403)');
});

test('a kill ends the wait, and is there for the run', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'wait' };
  const { link, asked, waits } = asks(plane);
  await waitFor('the answer', () => waits.length === 1);
  plane.kill('01J00000000000000000000001');
  expect(await asked).toEqual({ kind: 'killed' });
  expect(link.kills.map(({ kill }) => kill.kill)).toEqual(['01J00000000000000000000001']);
});

test('a kill that comes while the command is being started is for the run', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'start', fence: 3 };
  const { link, asked, run } = asks(plane);
  await asked;
  plane.kill('01J00000000000000000000001');
  await waitFor('the kill', () => link.kills.length === 1);
  const kills: string[] = [];
  const open = await link.handOver(run(1), { kill: ({ kill }) => kills.push(kill), changed: () => {} }, true);
  onTestFinished(() => open.close());
  expect(kills).toEqual(['01J00000000000000000000001']);
});

test('a signal ends the wait at once, whatever the network does', async () => {
  const plane = await controlPlane();
  plane.script.hangUpgrade = true;
  const { asked, interrupt } = asks(plane);
  interrupt();
  expect(await asked).toEqual({ kind: 'signaled', signal: 'SIGINT' });
});

test('a fault of the wrapper is like a control plane out of reach, and the run gets a link of its own', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'wait' };
  const { link, asked, waits, run } = asks(plane, { waitTimeoutMs: 1e9 });
  await waitFor('the answer', () => waits.length === 1);
  link.fail(new Error('a fault'));
  expect(await asked).toEqual({ kind: 'unreachable' });
  expect(link.why).toBe('the wrapper failed: a fault');
  const open = await link.handOver(run(1), { kill: () => {}, changed: () => {} }, true);
  onTestFinished(() => open.close());
  await waitFor('the run', () => plane.of('start').at(-1)?.phase === 'running');
});

test('until the run has the link, no fault of the wrapper ends it', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'start', fence: 3 };
  const before = process.listeners('uncaughtException');
  const { link, asked, run } = asks(plane);
  await asked;
  const [onFault, ...others] = process.listeners('uncaughtException').filter((each) => !before.includes(each));
  expect(others).toEqual([]);
  onFault?.(new Error('a fault'), 'uncaughtException');
  expect(link.state).toBe('given_up');
  const open = await link.handOver(run(1), { kill: () => {}, changed: () => {} }, true);
  onTestFinished(() => open.close());
  expect(process.listeners('uncaughtException')).toEqual(before);
  await waitFor('the run', () => plane.of('start').at(-1)?.phase === 'running');
});

test('what was not answered in time is out of reach', async () => {
  const plane = await controlPlane();
  const { link, asked } = asks(plane, { timeoutMs: 1 });
  expect(await asked).toEqual({ kind: 'unreachable' });
  expect(link.why).toBe('it did not answer in time');
});

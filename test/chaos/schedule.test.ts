import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Action, scheduleOf, type Workload } from './schedule.ts';
import { commandScript, printedAfter, readNotes } from './workload.ts';

const SEEDS = Array.from({ length: 200 }, (_, index) => index + 1);

test('the same seed is the same schedule, another one is another', () => {
  for (const seed of SEEDS) expect(scheduleOf(seed)).toEqual(scheduleOf(seed));
  expect(new Set(SEEDS.map((seed) => JSON.stringify({ ...scheduleOf(seed), seed: 0 }))).size).toBe(SEEDS.length);
});

test('in two hundred seeds there is every kind of trouble, and every kind of kill', () => {
  const actions = SEEDS.flatMap((seed) => scheduleOf(seed).actions);
  const kinds = new Set(actions.map(describeKind));
  const expected = [
    ...['crash', 'freeze', 'link cut', 'link stalled', 'link slow', 'disk full', 'disk read_only', 'clock'],
    ...['kill_wrapper', 'stop_wrapper', 'signal_command', 'brake'],
    ...['receiver refuses', 'receiver hangs', 'receiver drops'],
    ...['run', 'instance', 'runs', 'job', 'job_on_machine', 'machine'].flatMap((by) =>
      ['once', 'twice', 'at_once', 'then_sigkill', 'same_key'].map((manner) => `kill ${by} ${manner}`),
    ),
  ];
  expect([...kinds].sort()).toEqual(expected.sort());
});

test('in two hundred seeds runs ask in every way, or don’t ask', () => {
  const asked = SEEDS.flatMap((seed) => scheduleOf(seed).runs.map(({ asking }) => asking));
  const ways = asked.map((one) => (one === null ? 'no' : `${one.overlap} ${one.scope} ${one.ifUnreachable}`));
  const expected = ['allow', 'skip', 'wait', 'kill-old'].flatMap((overlap) =>
    ['job', 'machine'].flatMap((scope) => ['run', 'skip'].map((otherwise) => `${overlap} ${scope} ${otherwise}`)),
  );
  expect([...new Set(ways)].sort()).toEqual(['no', ...expected].sort());
});

test('what happens is in the order of its times', () => {
  for (const seed of SEEDS) {
    const times = scheduleOf(seed).actions.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
});

test('a command prints what is expected of it, and writes down how far it has come', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'leash-chaos-'));
  try {
    const workload: Workload = {
      steps: [
        { stream: 'stdout', lines: 3, restsWithinLine: false, pauseMs: 0 },
        { stream: 'stderr', lines: 2, restsWithinLine: true, pauseMs: 0 },
        { stream: 'stdout', lines: 2_000, restsWithinLine: true, pauseMs: 0 },
      ],
      onTerm: 'exit',
      child: 'none',
      end: { kind: 'exit', code: 3 },
    };
    const notes = join(directory, 'notes');
    const { status, stdout, stderr } = spawnSync('sh', ['-c', commandScript(workload), 'job', notes]);
    expect(status).toBe(3);
    expect(stdout).toEqual(printedAfter(workload, 'stdout', 3));
    expect(stderr).toEqual(printedAfter(workload, 'stderr', 3));
    expect(printedAfter(workload, 'stderr', 2).toString()).toBe('err 1\nerr 2\n');
    expect(readNotes(readFileSync(notes, 'utf8'))).toMatchObject({
      stepsDone: 3,
      exit: 3,
      trapped: null,
      alive: { first: expect.any(Number), last: expect.any(Number) },
      children: [],
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});

function describeKind(action: Action): string {
  switch (action.kind) {
    case 'link':
      return `link ${action.condition}`;
    case 'disk':
      return `disk ${action.trouble}`;
    case 'receiver':
      return `receiver ${action.trouble}`;
    case 'kill':
      return `kill ${action.scope.by} ${action.manner}`;
    default:
      return action.kind;
  }
}

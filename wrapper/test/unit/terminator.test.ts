import { expect, test } from 'vitest';
import type { Killing } from '#protocol/wrapper-link';
import type { ProcessGroup } from '../../src/command/process-group.ts';
import { Terminator } from '../../src/terminate/terminator.ts';
import { until } from '../support/until.ts';

const COMMAND = '01J00000000000000000000001';
const silent = { tell() {}, note() {} };

function terminator(group: Partial<ProcessGroup>) {
  const signals: string[] = [];
  const steps: Killing[] = [];
  const since = performance.now();
  const made = new Terminator(
    {
      members: () => [1],
      leaderHasExited: () => false,
      signal: (signal) => signals.push(signal) > 0,
      ...group,
    },
    () => Math.round(performance.now() - since),
    (step) => steps.push(step),
    silent,
  );
  const kill = (signal: string, graceMs: number) =>
    made.request({ cause: { kind: 'operator', command: COMMAND }, signal, graceMs });
  return { made, kill, signals, phases: () => steps.map((step) => step.phase) };
}

test('an exit that has not been collected yet came first all the same', () => {
  const { kill, signals, phases } = terminator({ leaderHasExited: () => true });
  kill('SIGTERM', 1_000);
  expect(phases()).toEqual(['refused']);
  expect(signals).toEqual([]);
});

test('a process list that can not be read does not keep SIGKILL from being sent', async () => {
  const { made, kill, signals, phases } = terminator({
    members: () => {
      throw new Error('EMFILE');
    },
  });
  kill('SIGTERM', 50);
  await until('SIGKILL', () => signals.includes('SIGKILL'));
  made.leaderExited();
  await made.over();
  expect(phases()).toEqual(['term', 'kill', 'gone']);
});

test('it is over when nobody is left, and not before', async () => {
  let members = [1, 2];
  const { made, kill, phases } = terminator({ members: () => members });
  kill('SIGTERM', 60_000);
  made.leaderExited();
  let over = false;
  const waiting = made.over().then(() => {
    over = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(over).toBe(false);
  members = [];
  await waiting;
  expect(phases()).toEqual(['term', 'gone']);
});

import { spawn } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { parseStat, processGroup } from '../../src/command/process-group.ts';
import { until } from '../support/until.ts';

test('a process name may hold anything', () => {
  expect(parseStat('12 (sh) S 1 10 10 0 -1 4194560')).toEqual({ pid: 12, pgid: 10, state: 'S' });
  expect(parseStat('12 (a) Z 9 99 (b) R 1 10 10 0')).toEqual({ pid: 12, pgid: 10, state: 'R' });
  expect(parseStat('')).toBeNull();
});

test('the members of a group are its living ones, and signals reach them all', async () => {
  const child = spawn('sh', ['-c', 'sleep 1000 & sleep 1000; :'], { detached: true, stdio: 'ignore' });
  const pid = child.pid ?? 0;
  const group = processGroup(pid);
  onTestFinished(() => void group.signal('SIGKILL'));
  await until('three of them', () => group.members().length === 3);
  expect(group.members()).toContain(pid);
  expect(group.leaderHasExited()).toBe(false);
  expect(group.signal('SIGKILL')).toBe(true);
  await until('nobody', () => group.members().length === 0);
  expect(group.leaderHasExited()).toBe(true);
});

import { spawn } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { parseStat } from '../../src/processes/proc-table.ts';
import { processTable } from '../../src/processes/process-table.ts';
import { parsePs, psTable } from '../../src/processes/ps-table.ts';

const linux = process.platform === 'linux';

/** A line of `stat` for a process with this name, state, flags and number of threads. */
function stat(name: string, state: string, flags = 4194560, threads = 1): string {
  return `12 (${name}) ${state} 3 10 9 0 -1 ${flags} 8 0 0 0 1 2 0 0 20 0 ${threads} 0 777 8192 9 0 0\n`;
}

test('a process name may hold anything', () => {
  const expected = { pid: 12, ppid: 3, pgid: 10, sid: 9, startTime: '777', isAlive: true, isKernel: false };
  for (const name of ['sh', 'a b', 'a) Z 9 99 (b', ') (', '\n) Z 1'])
    expect(parseStat(stat(name, 'S'))).toEqual(expected);
  expect(parseStat('')).toBeNull();
  expect(parseStat('12 (sh) S 1')).toBeNull();
});

test('zombies are recognized, and a process whose main thread alone has ended is not one', () => {
  expect(['R', 'S', 'D', 'T', 't', 'I'].map((state) => parseStat(stat('a', state))?.isAlive)).not.toContain(false);
  expect(['Z', 'X', 'x'].map((state) => parseStat(stat('a', state))?.isAlive)).not.toContain(true);
  expect(parseStat(stat('a', 'Z', 4194560, 2))?.isAlive).toBe(true);
});

test('kernel threads are recognized', () => {
  expect(parseStat(stat('kthreadd', 'S', 2129984))?.isKernel).toBe(true);
});

test('what ps prints is read, whatever the width of its columns', () => {
  const table = `    1     0     1 Ss   Sat Nov  2 09:05:01 2024
12345     1 12340 Z+   Sun Nov 23 01:14:36 2025
`;
  expect(parsePs(table)).toEqual([
    { pid: 1, ppid: 0, pgid: 1, sid: 0, startTime: 'Sat Nov 2 09:05:01 2024', isAlive: true, isKernel: false },
    {
      pid: 12345,
      ppid: 1,
      pgid: 12340,
      sid: 0,
      startTime: 'Sun Nov 23 01:14:36 2025',
      isAlive: false,
      isKernel: false,
    },
  ]);
});

test('ps and the table of this machine agree on this process', () => {
  const { pid, ppid, pgid, isAlive } = psTable.entry(process.pid) ?? {};
  expect(processTable.entry(process.pid)).toMatchObject({ pid, ppid, pgid, isAlive });
  expect(psTable.list().some((each) => each.pid === process.pid)).toBe(true);
  expect(psTable.entry(process.pid)?.startTime).toBe(
    psTable.list().find((each) => each.pid === process.pid)?.startTime,
  );
});

test('there is no entry for a pid that nobody has', () => {
  expect(processTable.entry(2 ** 22 + 1)).toBeNull();
  expect(psTable.entry(99_999_999)).toBeNull();
});

test.skipIf(!linux)('a child is found in the list, among the children, and by its environment', async () => {
  const child = spawn('sleep', ['100'], { env: { PATH: process.env.PATH, ABOUT: 'x', LEASH_T_1: '' } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  expect(processTable.list().some((each) => each.pid === pid && each.ppid === process.pid)).toBe(true);
  expect(processTable.children(process.pid)).toContain(pid);
  await waitFor('exec', () => processTable.hasVariable(pid, 'LEASH_T_1'));
  expect(processTable.hasVariable(pid, 'ABOUT')).toBe(true);
  // Only whole names count: not the end or the beginning of one, nor a value.
  for (const name of ['BOUT', 'ABOU', 'x', 'LEASH_T_', 'LEASH_T_11'])
    expect(processTable.hasVariable(pid, name)).toBe(false);
});

test.skipIf(!linux)('the newest pid moves when something is started', async () => {
  const before = processTable.newestPid();
  const child = spawn('true');
  expect(processTable.newestPid()).not.toBe(before);
  await new Promise((resolve) => child.once('exit', resolve));
});

test.skipIf(!linux)('a process is recognised without reading it, and leads to its children', async () => {
  const child = spawn('sleep', ['100']);
  const { pid = 0 } = child;
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(processTable.pids()).toContain(pid);
  expect(processTable.inode(pid)).toBe(processTable.inode(pid));
  expect(processTable.inode(pid)).not.toBe(processTable.inode(process.pid));
  expect(processTable.noTurnMs).toBeGreaterThan(0);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  expect(processTable.inode(pid)).toBeNull();
  expect(processTable.adopted(pid)).toBeNull();
});

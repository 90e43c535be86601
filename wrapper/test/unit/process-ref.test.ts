import { spawn } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { bootId, formatProcessRef, isRunning, parseProcessRef, refOf } from '../../src/processes/process-ref.ts';

test('a process is running until it has ended, also by a reference that was stored', async () => {
  const child = spawn('sleep', ['100']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const ref = JSON.parse(JSON.stringify(refOf(child.pid ?? 0)));
  expect(ref).toMatchObject({ pid: child.pid, bootId: bootId() });
  expect(isRunning(ref)).toBe(true);
  child.kill('SIGKILL');
  await waitFor('its end', () => !isRunning(ref));
});

test('another process with the same pid is another process', () => {
  const own = refOf(process.pid);
  if (own === null) throw new Error('we run');
  expect(isRunning(own)).toBe(true);
  expect(isRunning({ ...own, startTime: `${own.startTime}0` })).toBe(false);
});

test('nothing runs on from before the machine was restarted', () => {
  const own = refOf(process.pid);
  if (own === null) throw new Error('we run');
  expect(isRunning({ ...own, bootId: 'another' })).toBe(false);
});

test('what is in another PID namespace can not be seen, and may run', () => {
  const own = refOf(process.pid);
  if (own === null) throw new Error('we run');
  const there = { ...own, startTime: 'another', pidNamespace: '7' };
  expect(isRunning(there)).toBe(process.platform === 'linux');
  expect(isRunning({ ...there, bootId: 'another' })).toBe(false);
});

test('a name shows the namespace, and one of an older leash does not', () => {
  const ref = { pid: 7, startTime: '12', bootId: 'a boot' };
  for (const each of [ref, { ...ref, pidNamespace: '4026531836' }]) {
    expect(parseProcessRef(formatProcessRef(each))).toEqual(each);
  }
  expect(parseProcessRef('b@7@12')).toEqual({ ...ref, bootId: 'b' });
  expect(parseProcessRef('b@7@12@5@6')).toBeNull();
});

test('a child that has exited and is not collected yet can be referred to, and is not running', async () => {
  // What the shell has become never collects what the shell has started.
  const child = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 100']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const zombie = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
  await waitFor('its end', () => {
    const ref = refOf(zombie);
    return ref !== null && !isRunning(ref);
  });
});

test('there is no reference to nobody, and the boot has a name', () => {
  expect(refOf(99_999_999)).toBeNull();
  expect(bootId()).not.toBe('');
});

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readPatiently } from '../../src/cli/patient-file.ts';
import { onTokenRead, readTokenFile } from '../../src/cli/token-file.ts';
import { RunningClock, TURN_MS } from '../../src/clock/running-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function fifo(): string {
  const file = path.join(temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [file]);
  return file;
}

test('a file is read anew each time, and one that was not there is read once it is', async () => {
  const file = path.join(temporaryDirectory(), 'token');
  const read: string[] = [];
  onTokenRead(file, (token) => read.push(token));
  await expect(readTokenFile(file)).rejects.toThrow('ENOENT');
  fs.writeFileSync(file, ' one\n');
  expect(await readTokenFile(file)).toBe('one');
  fs.writeFileSync(file, 'two\n');
  expect(await readTokenFile(file)).toBe('two');
  expect(read).toEqual(['one', 'two']);
});

test.each(['/dev/zero', '/proc/self'])('%s is no such file', async (file) => {
  await expect(readPatiently(file)).rejects.toThrow();
});

test('a FIFO is read when somebody writes to it, by one read at a time, and what came out of it is known from then on', async () => {
  const file = fifo();
  const first = readPatiently(file);
  // A second that hangs would take a second thread of the pool.
  expect(readPatiently(file)).toBe(first);
  // The opening of the writer waits for a reader.
  const writer = await fs.promises.open(file, 'w');
  await writer.write('tok');
  await writer.write('en');
  await writer.close();
  expect(await first).toBe('token');
  expect(await readPatiently(file)).toBe('token');
});

test('a FIFO that nobody writes to is given up', async () => {
  const file = fifo();
  let nowMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    nowMs += 1_000;
    return nowMs;
  });
  onTestFinished(() => clock.mockRestore());
  await expect(readPatiently(file)).rejects.toThrow('nobody has written to the FIFO within 10 s');
});

test('time in which the process gets no turn counts for nothing', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  let nowMs = 0;
  const clock = new RunningClock(() => nowMs);
  nowMs = 3_600_000;
  expect(clock.now()).toBe(2 * TURN_MS);
  vi.advanceTimersByTime(TURN_MS);
  expect(clock.now()).toBe(2 * TURN_MS);
  nowMs += TURN_MS;
  vi.advanceTimersByTime(TURN_MS);
  expect(clock.now()).toBe(3 * TURN_MS);
  clock.stop();
});

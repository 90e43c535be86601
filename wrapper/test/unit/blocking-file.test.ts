import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { RunningClock, TURN_MS } from '../../src/clock/running-clock.ts';
import { readBlockingFile } from '../../src/config/blocking-file.ts';
import { onTokenRead, readTokenFile } from '../../src/config/token-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function fifo(): string {
  const file = path.join(temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [file]);
  return file;
}

test('a file is read again each time, and one that was not there is read once it is', async () => {
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
  await expect(readBlockingFile(file)).rejects.toThrow();
});

test('a FIFO is read when somebody writes to it, by one read at a time, and what came out of it is known from then on', async () => {
  const file = fifo();
  const first = readBlockingFile(file);
  // A second that hangs would take a second thread of the pool.
  expect(readBlockingFile(file)).toBe(first);
  // The opening of the writer waits for a reader.
  const writer = await fs.promises.open(file, 'w');
  await writer.write('tok');
  await writer.write('en');
  await writer.close();
  expect(await first).toBe('token');
  expect(await readBlockingFile(file)).toBe('token');
});

test('a FIFO that nobody writes to is given up', async () => {
  const file = fifo();
  let nowMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    nowMs += 1_000;
    return nowMs;
  });
  onTestFinished(() => clock.mockRestore());
  await expect(readBlockingFile(file)).rejects.toThrow('no data was written to the FIFO within 10 s');
});

test('time in which the process works or gets no turn counts for nothing, and what is left for less', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  let [nowMs, ranMs, delayedMs] = [0, 0, 0];
  const clock = new RunningClock(
    () => nowMs,
    () => ({ ranMs, delayedMs }),
  );
  /** What a turn counts for. */
  const turn = (elapsedMs: number, ofWhich: { ranMs?: number; delayedMs?: number } = {}) => {
    const before = clock.now();
    nowMs += elapsedMs;
    ranMs += ofWhich.ranMs ?? 0;
    delayedMs += ofWhich.delayedMs ?? 0;
    vi.advanceTimersByTime(TURN_MS);
    return clock.now() - before;
  };
  expect(turn(TURN_MS)).toBe(TURN_MS);
  expect(turn(TURN_MS, { ranMs: 20 })).toBe(TURN_MS - 20);
  expect(turn(5_000, { ranMs: 4_990 })).toBe(10);
  // It was stopped.
  expect(turn(3_600_000)).toBe(2 * TURN_MS);
  // As often as it ran it waited for its turn; and then ever more often.
  expect(turn(5_010 + TURN_MS, { delayedMs: 5_010 })).toBe(TURN_MS / 2);
  expect(turn(1_000_000 + TURN_MS, { delayedMs: 1_000_000 })).toBe(TURN_MS / 4);
  clock.stop();
});

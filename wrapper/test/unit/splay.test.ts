import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TerminatingSignal } from '../../src/host/local-signals.ts';
import { splayDelayMs, waitForSplay } from '../../src/run/splay.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('the delay of a job on a machine is the same each time, by the documented algorithm', () => {
  const digest = createHash('sha256').update('web1.example.com backup').digest('hex');
  const expected = Math.floor((300_000 * Number.parseInt(digest.slice(0, 12), 16)) / 2 ** 48);
  expect(splayDelayMs(300_000, 'web1.example.com', 'backup')).toBe(expected);
  expect(expected).toBe(splayDelayMs(300_000, 'web1.example.com', 'backup'));
});

test('the delays of a fleet, and of the jobs of a machine, are spread evenly below the bound', () => {
  const ofFleet = Array.from({ length: 2_000 }, (_, index) => splayDelayMs(1_000, `web${index}`, 'backup'));
  const ofJobs = Array.from({ length: 2_000 }, (_, index) => splayDelayMs(1_000, 'web1', `job-${index}`));
  for (const delays of [ofFleet, ofJobs]) {
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(1_000);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const count = delays.filter((delay) => Math.floor(delay / 100) === tenth).length;
      // 200 are expected in each; the standard deviation is 13.
      expect(count).toBeGreaterThan(120);
      expect(count).toBeLessThan(280);
    }
  }
});

function wait(delayMs: number) {
  const signals = {
    end: (_signal: TerminatingSignal) => {},
    isQueueing: false,
    onTerminate(end: (signal: TerminatingSignal) => void) {
      this.end = end;
    },
    queue() {
      this.isQueueing = true;
    },
  };
  const ended: (TerminatingSignal | null)[] = [];
  void waitForSplay(delayMs, signals, () => Date.now()).then((signal) => ended.push(signal));
  return { signals, ended };
}

test('the wait is over at its end, not before, and signals that come later are queued', async () => {
  const { signals, ended } = wait(30 * 86_400_000);
  await vi.advanceTimersByTimeAsync(30 * 86_400_000 - 1);
  expect(ended).toEqual([]);
  expect(signals.isQueueing).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toEqual([null]);
  expect(signals.isQueueing).toBe(true);
});

test('a signal ends the wait, and no timer is left', async () => {
  const { signals, ended } = wait(60_000);
  await vi.advanceTimersByTimeAsync(1_000);
  signals.end('SIGTERM');
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toEqual(['SIGTERM']);
  expect(vi.getTimerCount()).toBe(0);
});

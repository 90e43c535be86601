/** What is remembered of a run's processes over weeks. */
import { expect, test } from 'vitest';
import type { ProcessEntry } from '../../src/processes/process-table.ts';
import { ProcessTracker } from '../../src/processes/process-tracker.ts';

function entry(pid: number, pgid: number): ProcessEntry {
  return { pid, ppid: 1, pgid, sid: pgid, startTime: `${pid}`, isAlive: true, isKernel: false };
}

test('of a million processes that have come and gone little is remembered, but groups that still have members are', () => {
  const tracker = new ProcessTracker({ pid: 100, startTime: '100' });
  tracker.add(entry(200, 200), 0);
  tracker.add(entry(201, 200), 0);
  tracker.remove(200, 0);
  for (let pid = 1_000; pid < 11_000; pid += 1) {
    tracker.add(entry(pid, pid), pid);
    tracker.remove(pid, pid);
  }
  const remembered = Array.from({ length: 10_000 }, (_, index) => index + 1_000).filter((pid) =>
    tracker.ownsGroup(pid),
  );
  expect(remembered.length).toBeLessThan(2_000);
  expect(tracker.ownsGroup(100)).toBe(true);
  expect(tracker.ownsGroup(200)).toBe(true);
  expect(tracker.pids).toEqual([100, 201]);
});

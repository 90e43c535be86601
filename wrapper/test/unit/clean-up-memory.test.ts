import fs from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { cleanUpMemory } from '../../src/journal/run-journal.ts';
import { formatProcessRef } from '../../src/processes/process-ref.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** In ticks of 10 ms since the machine's start. */
const LONG_AGO = '1';
const A_MOMENT_AGO = String((2 * DAY_MS) / 10);
const US = { pid: 9, startTime: String((2 * DAY_MS) / 10 + 100), bootId: 'a-boot' };

/** A directory in memory whose last change is `ageMs` ago. */
function inMemory(prefix: string, ageMs: number): string {
  const directory = fs.mkdtempSync(`/dev/shm/${prefix}`);
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
  const changedAt = (Date.now() - ageMs) / 1_000;
  fs.utimesSync(directory, changedAt, changedAt);
  return directory;
}

const journalOf = (pid: number, startTime = LONG_AGO) =>
  `leash-journal-${formatProcessRef({ pid, startTime, bootId: 'a-boot' })}-`;

test('abandoned files are removed from memory after a day, and nothing else', () => {
  const wanted = inMemory(journalOf(1), 2 * DAY_MS);
  const kept = [
    wanted,
    inMemory(journalOf(2), 2 * DAY_MS),
    inMemory(journalOf(3), DAY_MS / 2),
    inMemory('leash-', DAY_MS / 2),
    inMemory('leash-other-', 2 * DAY_MS),
  ];
  const removed = [inMemory(journalOf(4), 2 * DAY_MS), inMemory('leash-', 2 * DAY_MS)];
  cleanUpMemory({ isRunning: ({ pid }) => pid === 2, self: US }, new Set([wanted]));
  expect(kept.map((each) => fs.existsSync(each))).toEqual(kept.map(() => true));
  expect(removed.map((each) => fs.existsSync(each))).toEqual(removed.map(() => false));
});

test('a clock that jumps by days does not remove the journal of a current run', () => {
  const journal = inMemory(journalOf(5, A_MOMENT_AGO), 2 * DAY_MS);
  cleanUpMemory({ isRunning: () => false, self: US }, new Set());
  expect(fs.existsSync(journal)).toBe(true);
});

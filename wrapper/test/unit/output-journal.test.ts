import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { LONGEST_BYTES, OutputJournal, readOutputJournal, type Stretch } from '../../src/journal/output-journal.ts';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function stretch(start: number, text: string, stream: Stretch['stream'] = 'stdout'): Stretch {
  return { stream, start, bytes: Buffer.from(text) };
}

/** What a journal says, as text. */
function said(directory: string) {
  const journalled = readOutputJournal(directory);
  const stretches = journalled?.stretches.map(({ stream, start, bytes }) => [
    stream,
    start,
    Buffer.from(bytes).toString(),
  ]);
  return { end: journalled?.end, stretches };
}

test('what was appended is there, and where the log ends, however little of it is needed', () => {
  const directory = temporaryDirectory();
  expect(readOutputJournal(directory)).toBeNull();
  const journal = new OutputJournal(directory, 5, [stretch(5, 'held')]);
  journal.append(stretch(9, 'more', 'stderr'));
  const both = [
    ['stdout', 5, 'held'],
    ['stderr', 9, 'more'],
  ];
  expect(said(directory)).toEqual({ end: 13, stretches: both });
  journal.clear(13);
  expect(said(directory)).toEqual({ end: 13, stretches: [] });
  journal.append(stretch(13, 'x'));
  expect(said(directory)).toEqual({ end: 14, stretches: [['stdout', 13, 'x']] });
});

test('a record that was cut short, as by a kill in the middle of it, counts as not written', () => {
  const directory = temporaryDirectory();
  const journal = new OutputJournal(directory, 0);
  journal.append(stretch(0, 'whole'));
  journal.append(stretch(5, 'half'));
  const file = path.join(directory, 'output');
  fs.truncateSync(file, fs.statSync(file).size - 1);
  expect(said(directory)).toEqual({ end: 5, stretches: [['stdout', 0, 'whole']] });
});

test('where there is no room it says at least where the log ends', () => {
  const directory = temporaryDirectory();
  const journal = new OutputJournal(directory, 0);
  journal.append(stretch(0, 'fits'));
  const full = vi.spyOn(fs, 'writevSync').mockImplementation(() => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  });
  journal.append(stretch(4, 'does not'));
  journal.append(stretch(12, 'nor this'));
  expect(said(directory)).toEqual({ end: 20, stretches: [] });
  full.mockRestore();
  journal.clear(20);
  journal.append(stretch(20, 'fits again'));
  expect(said(directory)).toEqual({ end: 30, stretches: [['stdout', 20, 'fits again']] });
});

test('it holds what is unacked and in memory, and does not grow with what passes', () => {
  const directory = temporaryDirectory();
  const output = new UnackedOutput(1024 * 1024, () => {});
  output.useJournal(new OutputJournal(directory, 0));
  const bytes = Buffer.alloc(256 * 1024, 'x');
  for (let passed = 0; passed < 3 * LONGEST_BYTES; passed += bytes.length) output.append('stdout', bytes);
  expect(fs.statSync(path.join(directory, 'output')).size).toBeLessThan(LONGEST_BYTES + 2 * bytes.length);
  expect(readOutputJournal(directory)?.end).toBe(output.end);
  output.free(output.end);
  expect(said(directory)).toEqual({ end: output.end, stretches: [] });
});

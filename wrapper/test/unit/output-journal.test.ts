import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import type { OutputFrame } from '#protocol/output-frame';
import { MAX_JOURNAL_BYTES, OutputJournal, readOutputJournal } from '../../src/journal/output-journal.ts';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function frame(start: number, text: string, stream: OutputFrame['stream'] = 'stdout'): OutputFrame {
  return { stream, start, bytes: Buffer.from(text) };
}

/** What a journal says, as text. */
function contentOf(directory: string) {
  const journalled = readOutputJournal(directory);
  const frames = journalled?.frames.map(({ stream, start, bytes }) => [stream, start, Buffer.from(bytes).toString()]);
  return { end: journalled?.end, frames };
}

test('a journal returns what was appended and where the output ends, also once it is cleared', () => {
  const directory = temporaryDirectory();
  expect(readOutputJournal(directory)).toBeNull();
  const journal = new OutputJournal(directory, 5, [frame(5, 'held')]);
  journal.append(frame(9, 'more', 'stderr'));
  const both = [
    ['stdout', 5, 'held'],
    ['stderr', 9, 'more'],
  ];
  expect(contentOf(directory)).toEqual({ end: 13, frames: both });
  journal.clear(13);
  expect(contentOf(directory)).toEqual({ end: 13, frames: [] });
  journal.append(frame(13, 'x'));
  expect(contentOf(directory)).toEqual({ end: 14, frames: [['stdout', 13, 'x']] });
});

test('an incomplete last record, as after a kill during the write, does not count', () => {
  const directory = temporaryDirectory();
  const journal = new OutputJournal(directory, 0);
  journal.append(frame(0, 'whole'));
  journal.append(frame(5, 'half'));
  const file = path.join(directory, 'output');
  fs.truncateSync(file, fs.statSync(file).size - 1);
  expect(contentOf(directory)).toEqual({ end: 5, frames: [['stdout', 0, 'whole']] });
});

test('a journal that can not be written still says where the output ends', () => {
  const directory = temporaryDirectory();
  const journal = new OutputJournal(directory, 0);
  journal.append(frame(0, 'fits'));
  const { writeSync } = fs;
  const full = vi.spyOn(fs, 'writeSync').mockImplementation((...args: unknown[]) => {
    if (Number(args[4]) > 16) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    return Reflect.apply(writeSync, fs, args);
  });
  journal.append(frame(4, 'does not'));
  journal.append(frame(12, 'nor this'));
  expect(contentOf(directory)).toEqual({ end: 20, frames: [] });
  full.mockRestore();
  journal.clear(20);
  journal.append(frame(20, 'fits again'));
  expect(contentOf(directory)).toEqual({ end: 30, frames: [['stdout', 20, 'fits again']] });
});

test('a journal holds what is unacked and in memory, and does not grow with the total output', () => {
  const directory = temporaryDirectory();
  const output = new UnackedOutput(1024 * 1024, () => {});
  output.useJournal(new OutputJournal(directory, 0));
  const bytes = Buffer.alloc(256 * 1024, 'x');
  for (let passed = 0; passed < 3 * MAX_JOURNAL_BYTES; passed += bytes.length) output.append('stdout', bytes);
  expect(fs.statSync(path.join(directory, 'output')).size).toBeLessThan(MAX_JOURNAL_BYTES + 2 * bytes.length);
  expect(readOutputJournal(directory)?.end).toBe(output.end);
  output.free(output.end);
  expect(contentOf(directory)).toEqual({ end: output.end, frames: [] });
});

import { expect, test } from 'vitest';
import { KIB, MIB } from '#protocol/limits';
import { aimText, copiedText, fileName, loadedText, matchesText, missingText } from '../src/pages/run/output-words.ts';
import { at, makeRun, RUN_ID, story } from './make.ts';

test('which part of the log is loaded', () => {
  expect(loadedText(0, KIB, KIB)).toBe('All of it is loaded');
  expect(loadedText(98.2 * MIB, 99 * MIB, 100 * MIB)).toBe('Loaded: 98.2 MiB to 99.0 MiB of 100 MiB');
  expect(loadedText(98 * MIB, 100 * MIB, 100 * MIB)).toBe('Loaded: the last 2.0 MiB of 100 MiB');
  expect(loadedText(0, KIB, 2 * KIB)).toBe('Loaded: 0 bytes to 1.0 KiB of 2.0 KiB');
});

test('where the reader is about to be', () => {
  expect(aimText(34 * MIB, 100 * MIB)).toBe('To 34.0 MiB of 100 MiB');
  expect(aimText(100 * MIB, 100 * MIB)).toBe('To the end');
});

test('what is missing from the log is said where it is downloaded', () => {
  const gap = { at: at(1), type: 'output_gap', from: 0, to: MIB } as const;
  expect(missingText(story())).toBe(null);
  expect(missingText(story(gap, gap))).toBe('2.0 MiB of it are missing, see the story');
  const trimmed = { at: at(2), type: 'output_trimmed', limit: 'run', from: MIB } as const;
  expect(missingText(story(gap, trimmed))).toBe('Not all of it was kept, see the story');
});

test('how much was copied', () => {
  expect(copiedText(0, KIB, KIB)).toBe('All of it is copied');
  expect(copiedText(MIB - 64 * KIB, MIB, MIB)).toBe('Copied what is loaded: 64.0 KiB of 1.0 MiB');
});

test('how much was found', () => {
  expect(matchesText(null)).toBe('No match');
  expect(matchesText({ current: 0, count: 0, isMore: false })).toBe('No match');
  expect(matchesText({ current: 3, count: 17, isMore: false })).toBe('3 of 17');
  expect(matchesText({ current: 0, count: 1000, isMore: true })).toBe('1000+ found');
});

test('a log on the disk says whose it is', () => {
  expect(fileName(makeRun({ job: 'backup', machine: 'db-1.example.com' }))).toBe(
    `backup-db-1.example.com-${RUN_ID}.log`,
  );
});

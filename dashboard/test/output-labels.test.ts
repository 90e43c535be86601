import { describe, expect, test } from 'vitest';
import { KIB, MIB } from '#protocol/limits';
import { END_REASONS, type EndReason, reportedEnd, SKIP_REASONS } from '#protocol/run-state';
import {
  aimText,
  copiedText,
  fileName,
  loadedText,
  matchesText,
  missingText,
  noOutputText,
  positionText,
} from '../src/pages/run/output-labels.ts';
import { at, makeRun, RUN_ID, story } from './make.ts';

test('which part of the output is loaded', () => {
  expect(loadedText(0, KIB, KIB)).toBe('Complete output');
  expect(loadedText(98.2 * MIB, 99 * MIB, 100 * MIB)).toBe('98.2 MiB to 99 MiB of 100 MiB');
  expect(loadedText(98 * MIB, 100 * MIB, 100 * MIB)).toBe('Last 2 MiB of 100 MiB');
  expect(loadedText(0, KIB, 2 * KIB)).toBe('0 bytes to 1 KiB of 2 KiB');
});

test('where the reader is about to be', () => {
  expect(aimText(34 * MIB, 100 * MIB)).toBe('To 34 MiB of 100 MiB');
  expect(aimText(100 * MIB, 100 * MIB)).toBe('To the end');
});

test('the download lists what is missing from the output', () => {
  const gap = { at: at(1), type: 'output_gap', from: 0, to: MIB } as const;
  expect(missingText(story())).toBe(null);
  expect(missingText(story(gap, gap))).toBe('2 MiB missing – see events');
  const trimmed = { at: at(2), type: 'output_trimmed', limit: 'run', from: MIB } as const;
  expect(missingText(story(gap, trimmed))).toBe('Truncated – see events');
});

test('how much was copied', () => {
  expect(copiedText(0, KIB, KIB)).toBe('Copied all');
  expect(copiedText(MIB - 64 * KIB, MIB, MIB)).toBe('Copied the loaded part (64 KiB of 1 MiB)');
});

test('how much was found', () => {
  expect(matchesText(null)).toBe('No matches');
  expect(matchesText({ current: 0, count: 0, isMore: false })).toBe('No matches');
  expect(matchesText({ current: 3, count: 17, isMore: false })).toBe('3 of 17');
  expect(matchesText({ current: 0, count: 1000, isMore: true })).toBe('1000+ found');
});

test('the file name of a download names the run', () => {
  expect(fileName(makeRun({ job: 'backup', machine: 'db-1.example.com' }))).toBe(
    `backup-db-1.example.com-${RUN_ID}.log`,
  );
});

describe('of a run without output is said', () => {
  const ended = (reason: EndReason, changes = {}) => {
    const raw = { kind: 'exited', code: 0 } as const;
    const { state, exitCode } = reportedEnd(reason, raw);
    const end = { state, exit_code: exitCode, reason, ended_at: at(9), final: true, connected: false };
    return makeRun({ ...end, output_total_bytes: 0, ...changes });
  };
  /** Reasons with which a wrapper ends that has read everything that the command printed. */
  const READ_TO_THE_END = [
    'exited',
    'signaled',
    'local_signal',
    'operator',
    'timeout',
    'idle_timeout',
    'memory_limit',
    'cpu_limit',
    'offline_limit',
  ];
  /** Reasons for which no command was started. */
  const NOT_STARTED: readonly string[] = ['start_failed', ...SKIP_REASONS];
  const NOTHING = 'No output.';
  const UNKNOWN = /may have printed something( since)?\.$/;

  test.each(END_REASONS)('after an end by %s no more than is known', (reason) => {
    const readToTheEnd = READ_TO_THE_END.includes(reason);
    expect(noOutputText(ended(reason)) === NOTHING).toBe(readToTheEnd);
    if (!readToTheEnd && !NOT_STARTED.includes(reason)) expect(noOutputText(ended(reason))).toMatch(UNKNOWN);
    // Some of it may have been lost with the wrapper that was killed.
    if (!NOT_STARTED.includes(reason)) expect(noOutputText(ended(reason, { successor: 1 }))).toMatch(UNKNOWN);
    // From before the size was told.
    expect(noOutputText(ended(reason, { output_total_bytes: null }))).not.toBe(NOTHING);
  });

  test.each(END_REASONS)('after an end by %s that it is still to come, if it is', (reason) => {
    for (const connected of [true, false]) {
      expect(noOutputText(ended(reason, { connected, output_total_bytes: 2 * KIB }))).toBe(
        'No output received yet: 2 KiB are still on the machine.',
      );
    }
  });

  test.each([
    [{}, 'No output yet.'],
    [{ state: 'killing' }, 'No output yet.'],
    [{ successor: 1 }, 'No output yet. Its first wrapper was killed; output it had not saved is lost.'],
    [{ connected: false }, 'No output received before it disconnected; output is buffered on the machine.'],
    [
      { state: 'lost', connected: false, reason: 'silence', ended_at: at(9) },
      'No output received before contact was lost. It may have printed something since.',
    ],
  ] as const)('while it may still print, %j', (changes, text) => {
    expect(noOutputText(makeRun(changes))).toBe(text);
  });
});

test('that all is loaded is not said of output that has yet to arrive', () => {
  const all = { start: 0, next: KIB };
  const run = makeRun({ state: 'succeeded', final: true, output_total_bytes: KIB });
  expect(positionText(run, all, null, KIB)).toBe('Complete output');
  expect(positionText({ ...run, output_total_bytes: 3 * KIB }, all, null, KIB)).toBe(
    'All 1 KiB received so far; 2 KiB more are still on the machine',
  );
});

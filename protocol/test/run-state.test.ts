import { describe, expect, test } from 'vitest';
import {
  END_REASONS,
  END_STATES,
  type EndReason,
  isLive,
  type RawExit,
  RUN_STATES,
  rawExitCode,
  reportedEnd,
} from '../run-state.ts';

const exited = (code: number): RawExit => ({ kind: 'exited', code });
const TERM: RawExit = { kind: 'signaled', signal: 'SIGTERM', signalNumber: 15 };
const KILL: RawExit = { kind: 'signaled', signal: 'SIGKILL', signalNumber: 9 };
const SEGV: RawExit = { kind: 'signaled', signal: 'SIGSEGV', signalNumber: 11 };

describe('the reported end', () => {
  // The design's table of run states and exit codes, row by row.
  test.each<[what: string, reason: EndReason, raw: RawExit | null, state: string, exitCode: number]>([
    ['the command exited 0', 'exited', exited(0), 'succeeded', 0],
    ['the command exited n', 'exited', exited(3), 'failed', 3],
    ['the command exited with a code of ours', 'exited', exited(143), 'failed', 143],
    ['a signal that nobody here sent', 'signaled', SEGV, 'failed', 139],
    ['the kernel ended it', 'signaled', KILL, 'failed', 137],
    ['a signal to the wrapper', 'local_signal', TERM, 'failed', 143],
    ['a signal to the wrapper, and the command then exited 0', 'local_signal', exited(0), 'succeeded', 0],
    ['the hard limit, SIGTERM sufficed', 'timeout', TERM, 'timed_out', 124],
    ['the hard limit, SIGKILL was needed', 'timeout', KILL, 'timed_out', 124],
    ['the hard limit, the command then exited 0', 'timeout', exited(0), 'timed_out', 124],
    ['the idle limit', 'idle_timeout', TERM, 'timed_out', 124],
    ['a kill, SIGTERM sufficed', 'operator', TERM, 'killed', 143],
    ['a kill, SIGKILL was needed', 'operator', KILL, 'killed', 143],
    ['a kill, the command then exited 0', 'operator', exited(0), 'killed', 143],
    ['a kill, the command then exited 1', 'operator', exited(1), 'killed', 143],
    ['no sign of life', 'silence', null, 'lost', 253],
    ['the wrapper died', 'wrapper_died', null, 'lost', 253],
    ['the memory limit', 'memory_limit', KILL, 'failed', 137],
    ['the CPU limit, the command then exited 0', 'cpu_limit', exited(0), 'failed', 152],
    ['the offline limit', 'offline_limit', TERM, 'lost', 253],
    ['nobody saw how it ended', 'exit_unknown', null, 'errored', 255],
    ['the command could not be started', 'start_failed', null, 'errored', 255],
    ['another run in the way', 'overlap', null, 'skipped', 75],
    ['a brake', 'brake', null, 'skipped', 75],
    ['maintenance', 'maintenance', null, 'skipped', 75],
    ['nobody to ask', 'unreachable', null, 'skipped', 75],
    ['the wrapper failed', 'wrapper_failed', null, 'errored', 255],
  ])('%s', (_what, reason, raw, state, exitCode) => {
    expect(reportedEnd(reason, raw)).toEqual({ state, exitCode });
  });

  test.each(END_REASONS)('of reason %s is an end', (reason) => {
    expect(END_STATES).toContain(reportedEnd(reason, exited(0)).state);
  });
});

test('a death by signal is 128 and the signal, never negative', () => {
  expect(rawExitCode(TERM)).toBe(143);
  expect(rawExitCode(exited(255))).toBe(255);
});

test('waiting, running and killing runs live', () => {
  expect(RUN_STATES.filter(isLive)).toEqual(['waiting', 'running', 'killing']);
});

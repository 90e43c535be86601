import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rawExitCode } from '../run-state.ts';
import { readNote, readRetcode, readSaltpeterMessage } from '../saltpeter-link.ts';

describe('a retcode', () => {
  test.each([
    [0, { kind: 'exited', code: 0 }],
    [254, { kind: 'exited', code: 254 }],
    [-9, { kind: 'signaled', signal: 'SIGKILL', signalNumber: 9 }],
    [-15, { kind: 'signaled', signal: 'SIGTERM', signalNumber: 15 }],
    [-31, { kind: 'signaled', signal: 'SIGSYS', signalNumber: 31 }],
    [-40, { kind: 'signaled', signal: 'SIG40', signalNumber: 40 }],
    [256, { kind: 'exited', code: 255 }],
    [-65, { kind: 'exited', code: 255 }],
  ])('of %d is %o', (retcode, exit) => {
    expect(readRetcode(retcode)).toEqual(exit);
  });

  test('is an exit code whatever it is: -n is 128+n', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (retcode) => {
        const code = rawExitCode(readRetcode(retcode));
        expect(code).toBeGreaterThanOrEqual(0);
        expect(code).toBeLessThanOrEqual(255);
        if (retcode < 0 && retcode >= -64) expect(code).toBe(128 - retcode);
      }),
    );
  });
});

describe('the last line of a wrapper', () => {
  test.each([
    ['stderr', '\n[Job exceeded timeout of 30 seconds]\n', 'timeout'],
    ['stderr', '\n[Job terminated by user request]\n', 'kill'],
    ['stderr', 'anything else', null],
    // The command's own output, which may look like it.
    ['stdout', '\n[Job terminated by user request]\n', null],
  ] as const)('on %s: %j says %s', (stream, data, note) => {
    expect(readNote({ stream, data })).toBe(note);
  });
});

describe('a frame', () => {
  const names = { job_name: 'backup', job_instance: 'backup_1', machine: 'db-1' };

  test.each([
    ['has a name that is empty', { type: 'heartbeat', ...names, machine: '' }],
    ['has no name', { type: 'heartbeat', job_name: 'backup', machine: 'db-1' }],
    ['has a name that is too long', { type: 'heartbeat', ...names, job_name: 'x'.repeat(256) }],
    ['has no number', { type: 'output', ...names, data: 'x' }],
    ['has a number below zero', { type: 'output', ...names, seq: -1, data: 'x' }],
    ['has no text', { type: 'output', ...names, seq: 0, data: null }],
    ['has a code that is none', { type: 'complete', ...names, retcode: '0' }],
  ])('is malformed if it %s', (_what, frame) => {
    expect(readSaltpeterMessage(JSON.stringify(frame)).kind).toBe('malformed');
  });

  test('of an older or newer wrapper is read as far as it goes', () => {
    const start = { type: 'start', ...names, pid: 'none', version: null, later: true };
    expect(readSaltpeterMessage(JSON.stringify(start))).toEqual({
      kind: 'message',
      message: { type: 'start', ...names, pid: null, version: 'unknown' },
    });
    expect(readSaltpeterMessage(JSON.stringify({ type: 'killed', ...names })).kind).toBe('unknown_type');
  });
});

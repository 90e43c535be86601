import { describe, expect, test } from 'vitest';
import { MIB } from '#protocol/limits';
import { decideShutdown, LIMITS_SPOOLED, LIMITS_UNSPOOLED, LONGEST_WALL_MS } from '../../src/link/shutdown-policy.ts';

const ended = { endedAt: 1_000, wallMs: 0, progressAt: null, unstoredAtEnd: 5, unstored: 5 } as const;
const exitNow = { kind: 'exit', isAllStored: false };

describe.each([true, false])('with a spool: %s', (spooled) => {
  test('all is stored: exit, all stored', () => {
    expect(decideShutdown({ ...ended, spooled, state: 'all_stored', now: 1_000 })).toEqual({
      kind: 'exit',
      isAllStored: true,
    });
  });

  test.each(['refused', 'rejected', 'given_up'] as const)('%s: exit at once', (state) => {
    expect(decideShutdown({ ...ended, spooled, state, now: 1_000 })).toEqual(exitNow);
  });

  const limits = spooled ? LIMITS_SPOOLED : LIMITS_UNSPOOLED;

  test('connecting: a short time', () => {
    const at = (now: number) => decideShutdown({ ...ended, spooled, state: 'connecting', now });
    expect(at(1_000)).toEqual({ kind: 'wait', until: 1_000 + limits.connectingMs });
    expect(at(1_000 + limits.connectingMs)).toEqual(exitNow);
    expect(limits.connectingMs).toBe(3_000);
  });

  test('connected: as long as things are being stored, and no longer', () => {
    const at = (now: number, progressAt: number) =>
      decideShutdown({ ...ended, state: 'connected', now, progressAt, spooled });
    expect(at(1_000, 500)).toEqual({ kind: 'wait', until: 1_000 + limits.storingMs });
    expect(at(2_500, 2_000)).toEqual({ kind: 'wait', until: 2_000 + limits.storingMs });
    const last = 1_000 + limits.longestMs;
    expect(at(last - 1, last - 2)).toEqual({ kind: 'wait', until: last });
    expect(at(last, last - 1)).toEqual(exitNow);
  });
});

test('connected: with a spool exit as soon as it is clear that time will not suffice', () => {
  const at = (now: number, unstored: number, spooled: boolean) =>
    decideShutdown({ ...ended, state: 'connected', now, progressAt: now, unstoredAtEnd: 10 * MIB, unstored, spooled })
      .kind;
  expect(at(1_999, 10 * MIB, true)).toBe('wait');
  // In a second 2 MiB of 10, and four seconds are left; or a byte less.
  expect(at(2_000, 8 * MIB, true)).toBe('wait');
  expect(at(2_000, 8 * MIB + 1, true)).toBe('exit');
  expect(at(2_000, 8 * MIB + 1, false)).toBe('wait');
});

test.each(['connecting', 'connected', 'offline'] as const)('%s: there is a bound by the clock on the wall', (state) => {
  const at = (wallMs: number) => decideShutdown({ ...ended, state, now: 1_000, wallMs, spooled: false });
  expect(at(LONGEST_WALL_MS - 1).kind).toBe('wait');
  expect(at(LONGEST_WALL_MS)).toEqual(exitNow);
});

test('offline: with a spool exit at once, even if something was just stored; without one a short time', () => {
  const at = (spooled: boolean, now: number, progressAt: number | null) =>
    decideShutdown({ ...ended, state: 'offline', now, progressAt, spooled });
  expect(at(true, 1_000, null)).toEqual(exitNow);
  expect(at(true, 1_500, 1_500)).toEqual(exitNow);
  expect(at(false, 1_000, null)).toEqual({ kind: 'wait', until: 4_000 });
  expect(at(false, 4_000, null)).toEqual(exitNow);
});

test('the spool’s limits is 2 s without progress and 5 s in all, else 5 s and 10 s', () => {
  expect(LIMITS_SPOOLED).toMatchObject({ storingMs: 2_000, longestMs: 5_000 });
  expect(LIMITS_UNSPOOLED).toMatchObject({ storingMs: 5_000, longestMs: 10_000 });
});

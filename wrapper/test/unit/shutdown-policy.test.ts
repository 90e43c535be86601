import { describe, expect, test } from 'vitest';
import { MIB } from '#protocol/limits';
import {
  decideFarewell,
  LONGEST_WALL_MS,
  PATIENCE_SPOOLED,
  PATIENCE_UNSPOOLED,
} from '../../src/link/shutdown-policy.ts';

const ended = { endedAt: 1_000, wallMs: 0, progressAt: null, unstoredAtEnd: 5, unstored: 5 } as const;
const leave = { kind: 'leave', told: false };

describe.each([true, false])('with a spool: %s', (spooled) => {
  test('all is stored: leave, told', () => {
    expect(decideFarewell({ ...ended, spooled, state: 'settled', now: 1_000 })).toEqual({ kind: 'leave', told: true });
  });

  test.each(['refused', 'rejected', 'given_up'] as const)('%s: leave at once', (state) => {
    expect(decideFarewell({ ...ended, spooled, state, now: 1_000 })).toEqual(leave);
  });

  const patience = spooled ? PATIENCE_SPOOLED : PATIENCE_UNSPOOLED;

  test('connecting: a short time', () => {
    const at = (now: number) => decideFarewell({ ...ended, spooled, state: 'connecting', now });
    expect(at(1_000)).toEqual({ kind: 'wait', until: 1_000 + patience.connectingMs });
    expect(at(1_000 + patience.connectingMs)).toEqual(leave);
    expect(patience.connectingMs).toBe(3_000);
  });

  test('connected: as long as things are being stored, and no longer', () => {
    const at = (now: number, progressAt: number) =>
      decideFarewell({ ...ended, state: 'connected', now, progressAt, spooled });
    expect(at(1_000, 500)).toEqual({ kind: 'wait', until: 1_000 + patience.storingMs });
    expect(at(2_500, 2_000)).toEqual({ kind: 'wait', until: 2_000 + patience.storingMs });
    const last = 1_000 + patience.longestMs;
    expect(at(last - 1, last - 2)).toEqual({ kind: 'wait', until: last });
    expect(at(last, last - 1)).toEqual(leave);
  });
});

test('connected: with a spool leave as soon as it is clear that time will not suffice', () => {
  const at = (now: number, unstored: number, spooled: boolean) =>
    decideFarewell({ ...ended, state: 'connected', now, progressAt: now, unstoredAtEnd: 10 * MIB, unstored, spooled })
      .kind;
  expect(at(1_999, 10 * MIB, true)).toBe('wait');
  // In a second 2 MiB of 10, and four seconds are left; or a byte less.
  expect(at(2_000, 8 * MIB, true)).toBe('wait');
  expect(at(2_000, 8 * MIB + 1, true)).toBe('leave');
  expect(at(2_000, 8 * MIB + 1, false)).toBe('wait');
});

test.each(['connecting', 'connected', 'offline'] as const)('%s: there is a bound by the clock on the wall', (state) => {
  const at = (wallMs: number) => decideFarewell({ ...ended, state, now: 1_000, wallMs, spooled: false });
  expect(at(LONGEST_WALL_MS - 1).kind).toBe('wait');
  expect(at(LONGEST_WALL_MS)).toEqual(leave);
});

test('offline: with a spool leave at once, even if something was just stored; without one a short time', () => {
  const at = (spooled: boolean, now: number, progressAt: number | null) =>
    decideFarewell({ ...ended, state: 'offline', now, progressAt, spooled });
  expect(at(true, 1_000, null)).toEqual(leave);
  expect(at(true, 1_500, 1_500)).toEqual(leave);
  expect(at(false, 1_000, null)).toEqual({ kind: 'wait', until: 4_000 });
  expect(at(false, 4_000, null)).toEqual(leave);
});

test('the spool’s patience is 2 s without progress and 5 s in all, else 5 s and 10 s', () => {
  expect(PATIENCE_SPOOLED).toMatchObject({ storingMs: 2_000, longestMs: 5_000 });
  expect(PATIENCE_UNSPOOLED).toMatchObject({ storingMs: 5_000, longestMs: 10_000 });
});

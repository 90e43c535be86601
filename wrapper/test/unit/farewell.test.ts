import { expect, test } from 'vitest';
import { decideFarewell, LONGEST_WAIT_MS, OFFLINE_WAIT_MS, STORING_WAIT_MS } from '../../src/link/farewell.ts';

const ended = { endedAt: 1_000, progressAt: null } as const;

test('all is stored: leave, told', () => {
  expect(decideFarewell({ ...ended, state: 'settled', now: 1_000 })).toEqual({ kind: 'leave', told: true });
});

test.each(['refused', 'given_up'] as const)('%s: leave at once', (state) => {
  expect(decideFarewell({ ...ended, state, now: 1_000 })).toEqual({ kind: 'leave', told: false });
});

test('offline: a short time', () => {
  expect(decideFarewell({ ...ended, state: 'offline', now: 1_000 })).toEqual({
    kind: 'wait',
    until: 1_000 + OFFLINE_WAIT_MS,
  });
  expect(decideFarewell({ ...ended, state: 'offline', now: 1_000 + OFFLINE_WAIT_MS })).toEqual({
    kind: 'leave',
    told: false,
  });
});

test('connected: as long as things are being stored, and no longer', () => {
  const at = (now: number, progressAt: number) =>
    decideFarewell({ state: 'connected', endedAt: 1_000, now, progressAt });
  expect(at(1_000, 500)).toEqual({ kind: 'wait', until: 1_000 + STORING_WAIT_MS });
  expect(at(4_000, 3_000)).toEqual({ kind: 'wait', until: 3_000 + STORING_WAIT_MS });
  expect(at(10_000, 9_999)).toEqual({ kind: 'wait', until: 1_000 + LONGEST_WAIT_MS });
  expect(at(11_000, 10_999)).toEqual({ kind: 'leave', told: false });
});

import { describe, expect, test } from 'vitest';
import { Heartbeat, SILENCE_MS } from '../src/api/heartbeat.ts';
import { roughlyAgoText } from '../src/format/quantity.ts';
import { keyOf } from '../src/keyboard/key-of.ts';
import { ANY_OFFSET, narrowOffset, offsetWithin } from '../src/state/clock-offset.ts';
import { isKillable, mayKill } from '../src/state/rights.ts';
import { makeRun } from './make.ts';

describe('the heart', () => {
  test('gives a silent link up', () => {
    const heart = new Heartbeat(0);
    expect([5000, 10_000, SILENCE_MS].map((now) => heart.beat(now))).toEqual(['send', 'send', 'dead']);
  });

  test('hears any answer', () => {
    const heart = new Heartbeat(0);
    heart.beat(5000);
    heart.heard(5100);
    expect([10_000, 15_000, 20_000].map((now) => heart.beat(now))).toEqual(['send', 'send', 'send']);
    expect(heart.beat(25_000)).toBe('dead');
  });

  test('does not blame the link for time in which this machine slept', () => {
    const heart = new Heartbeat(0);
    expect(heart.beat(3_600_000)).toBe('send');
    heart.heard(3_600_100);
    expect(heart.beat(3_605_000)).toBe('send');
  });

  test('wants its first beat after a sleep answered before the next: nobody waits long before a picture of yesterday', () => {
    const heart = new Heartbeat(0);
    expect(heart.beat(3_600_000)).toBe('send');
    expect(heart.beat(3_605_000)).toBe('dead');
  });
});

describe('the clock', () => {
  const sample = (sentAt: number, receivedAt: number, date: number) => ({ sentAt, receivedAt, date });

  test('is left alone when it may be right', () => {
    expect(offsetWithin(narrowOffset(ANY_OFFSET, sample(10_200, 10_300, 10_000)))).toBe(0);
  });

  test('is corrected by no more than is certain', () => {
    expect(offsetWithin(narrowOffset(ANY_OFFSET, sample(10_200, 10_300, 70_000)))).toBe(59_700);
    expect(offsetWithin(narrowOffset(ANY_OFFSET, sample(70_200, 70_300, 10_000)))).toBe(-59_200);
  });

  test('starts over when it was set', () => {
    const before = narrowOffset(ANY_OFFSET, sample(10_200, 10_300, 10_000));
    expect(offsetWithin(narrowOffset(before, sample(10_200, 10_300, 70_000)))).toBe(59_700);
  });
});

describe('rights', () => {
  const session = { name: 'x', scopes: ['read', 'kill'] as const, jobs: 'web-*', expires_at: null };

  test('a kill needs its scope and the job', () => {
    expect(mayKill({ ...session, scopes: [...session.scopes] }, 'web-1')).toBe(true);
    expect(mayKill({ ...session, scopes: [...session.scopes] }, 'db-1')).toBe(false);
    expect(mayKill({ ...session, scopes: ['read'] }, 'web-1')).toBe(false);
    expect(mayKill({ ...session, scopes: ['admin'] }, 'web-1')).toBe(true);
  });

  test('what may come back can still be killed', () => {
    expect(isKillable(makeRun())).toBe(true);
    expect(isKillable(makeRun({ state: 'lost', final: false }))).toBe(true);
    expect(isKillable(makeRun({ state: 'lost', final: true }))).toBe(false);
  });
});

describe('keys', () => {
  const pressed = (key: string, shiftKey: boolean, isCapsLock: boolean) =>
    keyOf({ key, shiftKey, getModifierState: () => isCapsLock });

  test('Caps Lock does not make a question for a kill out of the way to the previous row', () => {
    expect(pressed('K', false, true)).toBe('k');
    expect(pressed('k', true, true)).toBe('K');
    expect(pressed('K', true, true)).toBe('K');
    expect(pressed('Enter', false, true)).toBe('Enter');
  });

  test('without it they are taken as they come', () => {
    expect([pressed('K', true, false), pressed('k', false, false), pressed('?', true, false)]).toEqual(['K', 'k', '?']);
  });
});

test('a time that is recorded every ten minutes is shown no more exactly than that', () => {
  const minutes = (count: number) => roughlyAgoText(count * 60_000, 10 * 60_000);
  expect([0, 9, 12, 59, 60, 180].map(minutes)).toEqual([
    'in the last 10 minutes',
    'in the last 10 minutes',
    'about 12m ago',
    'about 59m ago',
    '1h ago',
    '3h ago',
  ]);
});

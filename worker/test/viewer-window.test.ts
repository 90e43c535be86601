import { expect, test } from 'vitest';
import { ackedTo, openWindow, sentBytes, sentGap, unackedBytes } from '../durable/job/viewer-window.ts';

test('a gap that was reported counts as nothing sent, whatever of it was acked', () => {
  const told = sentBytes(sentGap(sentBytes(openWindow(50), 60), 60, 1_000_060), 1_000_070);
  expect(unackedBytes(told)).toBe(20);
  expect(unackedBytes(ackedTo(told, 55))).toBe(15);
  expect(unackedBytes(ackedTo(told, 60))).toBe(10);
  expect(unackedBytes(ackedTo(told, 500_000))).toBe(10);
  expect(unackedBytes(ackedTo(told, 1_000_060))).toBe(10);
  expect(unackedBytes(ackedTo(told, 1_000_065))).toBe(5);
});

test('an ack of more than was sent gains nothing', () => {
  expect(unackedBytes(sentBytes(ackedTo(sentBytes(openWindow(0), 10), 1_000), 30))).toBe(20);
});

test('gaps beyond those that are remembered count as sent, and the others still do not', () => {
  let window = openWindow(0);
  for (let index = 0; index < 200; index++) {
    window = sentBytes(sentGap(window, index * 11, index * 11 + 10), index * 11 + 11);
  }
  expect(unackedBytes(window)).toBe(200 + 100 * 10);
  expect(JSON.stringify(window).length).toBeLessThan(8_000);
});

import { expect, test } from 'vitest';
import { InboundBudget } from '../../src/link/inbound-budget.ts';

function budgetAt(): { readonly budget: InboundBudget; readonly frames: () => number; pass(ms: number): void } {
  let now = 0;
  const budget = new InboundBudget(() => now);
  return {
    budget,
    /** How many more it takes. */
    frames: () => {
      let count = 0;
      while (count < 1_000_000 && budget.takeFrame()) count += 1;
      return count;
    },
    pass: (ms) => {
      now += ms;
    },
  };
}

test('a burst is accepted, and then a fixed rate', () => {
  const { frames, pass } = budgetAt();
  expect(frames()).toBe(5_000);
  expect(frames()).toBe(0);
  pass(2_000);
  expect(frames()).toBe(100);
  pass(24 * 60 * 60 * 1_000);
  expect(frames()).toBe(5_000);
});

test('each frame of output may be acked, however many there are', () => {
  const { budget, frames } = budgetAt();
  frames();
  let refused = 0;
  for (let each = 0; each < 100_000; each += 1) {
    budget.outputSent();
    if (!budget.takeFrame() || !budget.takeBytes(100)) refused += 1;
  }
  expect(refused).toBe(0);
});

test('what does not come as frames counts by its bytes', () => {
  const { budget, pass } = budgetAt();
  expect(budget.takeBytes(1024 * 1024)).toBe(true);
  expect(budget.takeBytes(1)).toBe(false);
  pass(1_000);
  expect(budget.takeBytes(64 * 1024)).toBe(true);
  expect(budget.takeBytes(1)).toBe(false);
});

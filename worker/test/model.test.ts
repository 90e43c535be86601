/**
 * Random trials: whatever happens to a job, in whatever order, its object behaves like a simple model.
 *
 * After every step the two are compared: each run, each kill with its targets, the events, and every message on every
 * socket; at the end of a sequence the output byte by byte, and the contents of D1. On a failure fast-check prints the
 * seed and the shortest sequence it found.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, test, vi } from 'vitest';
import { trials } from '#testing/seed';
import { useFakeDate } from './support/clock.ts';
import { interceptD1 } from './support/model/real-job.ts';
import { type Step, steps, stepsOfExpectations } from './support/model/steps.ts';
import { runTrial } from './support/model/trial.ts';

let sequence = 0;

useFakeDate();
beforeAll(() => {
  interceptD1();
  // Thousands of sequences would fill the screen.
  for (const method of ['log', 'warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => {});
});
afterAll(() => {
  vi.restoreAllMocks();
});

test('a job behaves like the model, whatever happens to it in whatever order', () => check(steps, trials(20, 1_000)));

test('it says of expected runs what the model says, whenever they come', () =>
  check(stepsOfExpectations, trials(20, 1_000)));

async function check(sequences: fc.Arbitrary<Step[]>, parameters: fc.Parameters<[Step[]]>): Promise<void> {
  const runNext = (sequenceOfSteps: Step[]) => {
    sequence += 1;
    return runTrial(`model-${sequence}`, sequenceOfSteps);
  };
  await fc.assert(fc.asyncProperty(sequences, runNext), parameters);
}

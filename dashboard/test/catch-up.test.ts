import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Failure } from '../src/api/failure.ts';
import { Burst } from '../src/state/burst.ts';
import { askForEach, CatchUp } from '../src/state/catch-up.ts';
import { makeRun, runId } from './make.ts';

const UNREACHABLE: Failure = { kind: 'unreachable', detail: 'nobody answered' };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('catching up', () => {
  /** Each asking waits until the test answers it. */
  function asked() {
    const answers: ((failure: Failure | null) => void)[] = [];
    const outdated: (() => boolean)[] = [];
    const done: (Failure | null)[] = [];
    const catchUp = new CatchUp(
      (isOutdated) => {
        outdated.push(isOutdated);
        return new Promise((resolve) => answers.push(resolve));
      },
      (failure) => done.push(failure),
    );
    const answer = async (asking: number, failure: Failure | null) => {
      answers[asking]?.(failure);
      await vi.advanceTimersByTimeAsync(0);
    };
    return { catchUp, answers, outdated, done, answer };
  }

  test('is tried again until it has all', async () => {
    const { catchUp, answers, done, answer } = asked();
    void catchUp.begin();
    await answer(0, UNREACHABLE);
    expect(done).toEqual([UNREACHABLE]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(answers.length).toBe(2);
    await answer(1, null);
    expect(done).toEqual([UNREACHABLE, null]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers.length).toBe(2);
  });

  test('begun anew, what the earlier asking brings counts for nothing', async () => {
    const { catchUp, outdated, done, answer } = asked();
    void catchUp.begin();
    void catchUp.begin();
    expect(outdated.map((is) => is())).toEqual([true, false]);
    await answer(1, null);
    await answer(0, UNREACHABLE);
    expect(done).toEqual([null]);
  });

  test('stopped, it says nothing and asks no more', async () => {
    const { catchUp, answers, done, answer } = asked();
    void catchUp.begin();
    await answer(0, UNREACHABLE);
    catchUp.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers.length).toBe(1);
    void catchUp.begin();
    catchUp.stop();
    await answer(1, null);
    expect(done).toEqual([UNREACHABLE]);
  });
});

describe('asking for each', () => {
  test('is done a few at a time, for all of them', async () => {
    const ids = Array.from({ length: 15 }, (_, index) => `run ${index}`);
    const seen: string[] = [];
    let open = 0;
    let most = 0;
    const ask = async (id: string) => {
      seen.push(id);
      open += 1;
      most = Math.max(most, open);
      await Promise.resolve();
      open -= 1;
    };
    await askForEach(ids, ask, () => false);
    expect(seen).toEqual(ids);
    expect(most).toBeLessThan(ids.length);
  });

  test('ends when it is outdated', async () => {
    let count = 0;
    const ask = async () => {
      count += 1;
    };
    await askForEach(new Array<string>(100).fill('run'), ask, () => count > 0);
    expect(count).toBeLessThan(100);
  });
});

describe('a burst of changes', () => {
  const [one, two] = [makeRun({ id: runId(1) }), makeRun({ id: runId(2) })];

  test('is told of together, once it is over', () => {
    const told: string[][] = [];
    const burst = new Burst(({ runs }) => told.push(runs.map(({ id }) => id)));
    burst.take({ type: 'run', run: one });
    burst.take({ type: 'run', run: two });
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1_000);
    burst.take({ type: 'run', run: one });
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([[one.id, two.id], [one.id]]);
  });

  test('is dropped when it is stopped', () => {
    const told: unknown[] = [];
    const burst = new Burst(({ runs }) => told.push(runs));
    burst.take({ type: 'run', run: one });
    burst.stop();
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([]);
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Failure } from '../src/api/failure.ts';
import { fetchEach, Resync } from '../src/state/resync.ts';
import { type SyncStatus, statusAfter, UpdateBatcher } from '../src/state/sync.ts';
import { makeRun, runId } from './make.ts';

const UNREACHABLE: Failure = { kind: 'unreachable', detail: 'nobody answered' };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a resync', () => {
  /** Each asking waits until the test answers it. */
  function asked() {
    const answers: ((failure: Failure | null) => void)[] = [];
    const outdated: (() => boolean)[] = [];
    const done: (Failure | null)[] = [];
    const resync = new Resync(
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
    return { resync, answers, outdated, done, answer };
  }

  test('is retried until it has fetched all', async () => {
    const { resync, answers, done, answer } = asked();
    void resync.begin();
    await answer(0, UNREACHABLE);
    expect(done).toEqual([UNREACHABLE]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(answers.length).toBe(2);
    await answer(1, null);
    expect(done).toEqual([UNREACHABLE, null]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers.length).toBe(2);
  });

  test('is not retried after a failure that does not pass by itself', async () => {
    const { resync, answers, done, answer } = asked();
    void resync.begin();
    const refused: Failure = { kind: 'problem', status: 403, code: 'forbidden', detail: 'No.' };
    await answer(0, refused);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([answers.length, done]).toEqual([1, [refused]]);
  });

  test('begun again, ignores what the earlier attempt fetches', async () => {
    const { resync, outdated, done, answer } = asked();
    void resync.begin();
    void resync.begin();
    expect(outdated.map((is) => is())).toEqual([true, false]);
    await answer(1, null);
    await answer(0, UNREACHABLE);
    expect(done).toEqual([null]);
  });

  test('stopped, reports nothing and retries no more', async () => {
    const { resync, answers, done, answer } = asked();
    void resync.begin();
    await answer(0, UNREACHABLE);
    resync.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers.length).toBe(1);
    void resync.begin();
    resync.stop();
    await answer(1, null);
    expect(done).toEqual([UNREACHABLE]);
  });
});

describe('fetching each', () => {
  test('fetches a few at a time, and all of them', async () => {
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
    await fetchEach(ids, ask, () => false);
    expect(seen).toEqual(ids);
    expect(most).toBeLessThan(ids.length);
  });

  test('ends when it is outdated', async () => {
    let count = 0;
    const ask = async () => {
      count += 1;
    };
    await fetchEach(new Array<string>(100).fill('run'), ask, () => count > 0);
    expect(count).toBeLessThan(100);
  });
});

describe('a burst of changes', () => {
  const [one, two] = [makeRun({ id: runId(1) }), makeRun({ id: runId(2) })];

  test('is applied as one update', () => {
    const told: string[][] = [];
    const batcher = new UpdateBatcher(({ runs }) => told.push(runs.map(({ id }) => id)));
    batcher.add({ type: 'run', run: one });
    batcher.add({ type: 'run', run: two });
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1_000);
    batcher.add({ type: 'run', run: one });
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([[one.id, two.id], [one.id]]);
  });

  test('is dropped when it is stopped', () => {
    const told: unknown[] = [];
    const batcher = new UpdateBatcher(({ runs }) => told.push(runs));
    batcher.add({ type: 'run', run: one });
    batcher.stop();
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([]);
  });
});

describe('the sync status', () => {
  const steps = (...links: Parameters<typeof statusAfter>[1][]) =>
    links.reduce<SyncStatus>(statusAfter, { kind: 'connecting' });

  test('is not live by an open connection alone', () => {
    expect(steps({ kind: 'open' })).toEqual({ kind: 'syncing', since: null });
  });

  test('is stale since the connection was first lost, until all is fetched', () => {
    const [first, second] = [
      { kind: 'down', since: 5 },
      { kind: 'down', since: 9 },
    ] as const;
    expect(steps(first, { kind: 'open' })).toEqual({ kind: 'syncing', since: 5 });
    expect(steps(first, { kind: 'open' }, second)).toEqual({ kind: 'stale', since: 5 });
    expect(statusAfter({ kind: 'live' }, second)).toEqual({ kind: 'stale', since: 9 });
  });
});

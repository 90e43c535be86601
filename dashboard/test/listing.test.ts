import { expect, test } from 'vitest';
import type { Page } from '../src/api/calls.ts';
import { failed, type Result, success } from '../src/api/failure.ts';
import { createLister } from '../src/state/listing.ts';

/** A list of numbers, newest first, two to a page, that grows. */
function numbers() {
  const source = { last: 5, isDown: false, asked: 0 };
  const fetchPage = async (cursor: string | null): Promise<Result<Page<number>>> => {
    source.asked += 1;
    if (source.isDown) return failed({ kind: 'unreachable', detail: 'down' });
    const from = cursor === null ? source.last : Number(cursor);
    const items = [from, from - 1].filter((number) => number > 0);
    return success({ items, next: from - 2 > 0 ? String(from - 2) : null });
  };
  return { source, lister: createLister(fetchPage, { now: () => source.last * 1000 }) };
}

test('reads on, page by page, to the end', async () => {
  const { lister } = numbers();
  expect(lister.state.value.readAt).toBe(null);
  await lister.reload();
  expect(lister.state.value).toEqual({ items: [5, 4], readAt: 5000, hasMore: true, isBusy: false, failure: null });
  await lister.more();
  await lister.more();
  expect(lister.state.value).toMatchObject({ items: [5, 4, 3, 2, 1], hasMore: false });
  await lister.more();
  expect(lister.state.value.items).toHaveLength(5);
});

test('a page without items is no end: it reads on to the next item', async () => {
  const pages: Record<string, Page<number>> = {
    '': { items: [], next: 'b' },
    b: { items: [2], next: 'c' },
    c: { items: [], next: 'd' },
    d: { items: [1], next: null },
  };
  const lister = createLister(async (cursor) => success(pages[cursor ?? ''] ?? { items: [], next: null }));
  await lister.reload();
  expect(lister.state.value).toMatchObject({ items: [2], hasMore: true });
  await lister.more();
  expect(lister.state.value).toMatchObject({ items: [2, 1], hasMore: false });
});

test('read again, it goes as far down as before', async () => {
  const { source, lister } = numbers();
  await lister.reload();
  await lister.more();
  source.last = 7;
  await lister.reload();
  expect(lister.state.value).toMatchObject({ items: [7, 6, 5, 4], readAt: 7000, hasMore: true });
});

test('a failure is reported and takes nothing away', async () => {
  const { source, lister } = numbers();
  await lister.reload();
  source.isDown = true;
  await lister.more();
  expect(lister.state.value).toMatchObject({ items: [5, 4], hasMore: true, isBusy: false });
  expect(lister.state.value.failure?.detail).toBe('down');
  source.isDown = false;
  await lister.more();
  expect(lister.state.value).toMatchObject({ items: [5, 4, 3, 2], failure: null });
});

test('an answer that was overtaken by another question counts no more', async () => {
  const { source, lister } = numbers();
  await lister.reload();
  const on = lister.more();
  source.last = 7;
  await Promise.all([on, lister.reload()]);
  expect(lister.state.value.items).toEqual([7, 6]);
});

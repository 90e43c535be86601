import { afterEach, expect, test, vi } from 'vitest';
import { fetchTokens, MOST_LISTED } from '../src/api/calls.ts';

afterEach(() => vi.unstubAllGlobals());

/** As many pages as it is given, each with one token. */
function answerPages(count: number): void {
  let pages = 0;
  vi.stubGlobal('fetch', async () => {
    pages += 1;
    const token = {
      id: `01J${String(pages).padStart(23, '0')}`,
      name: 'ci',
      scopes: ['read'],
      jobs: '*',
      machines: '*',
      created_at: '2026-03-01T00:00:00.000Z',
      expires_at: null,
      last_used_at: null,
    };
    return Response.json({ tokens: [token], next_cursor: pages === count ? null : 'more' });
  });
}

test('a list is read to its end, and is whole then', async () => {
  answerPages(50);
  const answer = await fetchTokens();
  expect(answer.ok && [answer.value.items.length, answer.value.isCut]).toEqual([50, false]);
});

test('of one that goes on so much is read as a page can hold, and it counts as cut', async () => {
  answerPages(51);
  const answer = await fetchTokens();
  expect(answer.ok && [answer.value.items.length, answer.value.isCut]).toEqual([50, true]);
  expect(MOST_LISTED).toBe(25_000);
});

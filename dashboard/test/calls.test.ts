import { afterEach, expect, test, vi } from 'vitest';
import { fetchEvents, fetchGaps, fetchRun, fetchTokens, MOST_LISTED, outputHref } from '../src/api/calls.ts';

afterEach(() => vi.unstubAllGlobals());

test('a run is fetched with its job; if several jobs have its id, these are listed', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    const problem = {
      type: 'about:blank',
      title: '',
      status: 409,
      code: 'run_ambiguous',
      detail: '',
      jobs: ['a', 'b'],
    };
    return Response.json(problem, { status: 409 });
  });
  const run = { id: '01J00000000000000000000001', job: 'a' };
  const answer = await fetchRun(run.id, null);
  expect(!answer.ok && answer.failure).toMatchObject({ code: 'run_ambiguous', jobs: ['a', 'b'] });
  await fetchRun(run.id, run.job);
  await fetchEvents(run.id, run.job);
  await fetchGaps(run);
  expect(asked.map((path) => path.replace(`/api/v1/runs/${run.id}`, ''))).toEqual([
    '',
    '?job=a',
    '/events?job=a&limit=500',
    '/output?job=a',
  ]);
  expect(outputHref(run)).toBe(`/api/v1/runs/${run.id}/output?job=a&gaps=marked`);
});

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
  expect(answer.ok && [answer.value.items.length, answer.value.isTruncated]).toEqual([50, false]);
});

test('a list that continues is read up to the limit, and counts as truncated', async () => {
  answerPages(51);
  const answer = await fetchTokens();
  expect(answer.ok && [answer.value.items.length, answer.value.isTruncated]).toEqual([50, true]);
  expect(MOST_LISTED).toBe(25_000);
});

import { expect, test } from 'vitest';
import { query } from './support/storage.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

test('the runs that make way first, and those that left something running, are found by an index', async () => {
  const who = newIdentity('schema-plans');
  await TestWrapper.connect(who);
  const plan = async (sql: string) =>
    (await query<{ detail: string }>(who.job, `EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join();
  expect(
    await plan('SELECT * FROM runs WHERE ended_at IS NOT NULL AND output_size > 64 ORDER BY ended_at LIMIT 1'),
  ).toContain('runs_by_end_to_trim');
  expect(await plan("SELECT * FROM runs WHERE left_running <> '[]'")).toContain('runs_with_left_processes');
  expect(await plan('SELECT * FROM runs WHERE ended_at < 1 ORDER BY ended_at LIMIT 20')).toMatch(/runs_by_end \(/);
});

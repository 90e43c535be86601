import { expect, test } from 'vitest';
import { firstScriptBytes } from './support/first-script.ts';

test('the first view of the page needs less than 60 KB of script', async () => {
  const bytes = await firstScriptBytes();
  expect(bytes).toBeGreaterThan(20_000);
  expect(bytes).toBeLessThan(60_000);
});

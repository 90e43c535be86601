import { expect, test } from 'vitest';
import { runLocally } from '../../src/cli/local-operation.ts';

test('an unexpected failure is said in one line, and has the exit code of its subcommand', async () => {
  const options = { name: 'upgrade', logFile: null, verbose: false };
  const fail = () => Promise.reject(new Error('no such disk'));
  expect(await runLocally(options, fail)).toBe(255);
  expect(await runLocally({ ...options, failureCode: 1 }, fail)).toBe(1);
});

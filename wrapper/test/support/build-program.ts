/** Makes the program that the tests start: the wrapper as it is shipped, from the sources as they are now. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bundleWrapper } from '../../../scripts/bundle-wrapper.ts';

/** Called by vitest once before the tests of a project; what it returns, after them. */
export default async function setup(): Promise<() => void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'leash-program-'));
  // Some tests start it as another user.
  fs.chmodSync(directory, 0o755);
  const program = path.join(directory, 'leash.cjs');
  await bundleWrapper(program);
  // Read by leash.ts, in processes that are started after this.
  process.env.LEASH_TEST_PROGRAM = program;
  return () => fs.rmSync(directory, { recursive: true, force: true });
}

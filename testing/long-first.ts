/**
 * The order of the test files within a group. vitest knows from earlier runs how long each takes, which a fresh clone
 * has not had; it would then go by size, come to the longest when all others are over, and leave the processors idle.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '..');

/** What takes 15 s and more, the longest first. */
const LONG = [
  'test/output-pane.test.ts',
  'test/overview.test.ts',
  'test/restart.test.ts',
  'wrapper/test/processes/hung-disk.test.ts',
  'test/admin-pages.test.ts',
  'test/job-page.test.ts',
  'wrapper/test/processes/limits.test.ts',
  'test/timeline.test.ts',
  'test/page.test.ts',
  'test/accessibility.test.ts',
  'test/start.test.ts',
  'wrapper/test/processes/flush.test.ts',
  'wrapper/test/processes/kill-all.test.ts',
  'wrapper/test/processes/outage-disk.test.ts',
  'test/kill.test.ts',
  'test/liveness.test.ts',
  'wrapper/test/processes/leaving.test.ts',
  'wrapper/test/processes/wrapper-death.test.ts',
  'wrapper/test/processes/kill.test.ts',
  'wrapper/test/processes/own-output.test.ts',
];

export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = LONG.filter((path) => !existsSync(join(ROOT, path)));
    if (missing.length > 0) throw new Error(`testing/long-first.ts names what is not there: ${missing.join(', ')}`);
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONG.indexOf(relative(ROOT, moduleId));
      return found === -1 ? LONG.length : found;
    };
    const sorted = await super.sort(files);
    return sorted.toSorted((one, two) => place(one) - place(two));
  }
}

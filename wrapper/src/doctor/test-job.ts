/** The job of the test run, and of the right that is asked for. */

export const TEST_JOB = 'leash-doctor';

export interface TestJob {
  readonly name: string;
  /** A job that must not get a run that was a test, unless it was named for that. */
  readonly isReal: boolean;
}

/** @param jobs a token's glob: what it is not for would be refused, which says nothing about this machine */
export function testJobFor(jobs: string): TestJob {
  return { name: jobs.replace('*', TEST_JOB).replaceAll('*', 'x'), isReal: !jobs.includes('*') };
}

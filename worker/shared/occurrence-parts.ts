/** What occurrences of different origin have in common. */
import type { About } from '#protocol/about';
import type { Occurrence } from '#protocol/alerts';

/** Of what is said of no run. */
export const OF_NO_RUN = { run: null, exitCode: null, durationMs: null, isAlive: false } as const;

/** What is known of the job: whose it is, and what to do. */
export function aboutFields(about: About | null): Pick<Occurrence, 'tags' | 'owner' | 'runbook'> {
  return { tags: about?.tags ?? [], owner: about?.owner ?? null, runbook: about?.runbook ?? null };
}

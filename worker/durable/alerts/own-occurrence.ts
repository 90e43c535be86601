import type { Occurrence } from '#protocol/alerts';
import { aboutFields, OF_NO_RUN } from '../../shared/occurrence-parts.ts';

/** What Leash reports of itself. */
export function ownOccurrence(what: Pick<Occurrence, 'id' | 'kind' | 'at' | 'summary'>): Occurrence {
  return { ...OF_NO_RUN, ...aboutFields(null), ...what, job: 'leash', machine: null };
}

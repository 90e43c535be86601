/** What alerts are told of an expectation. Pure: derived again, it is the same. */
import type { About } from '#protocol/about';
import type { Occurrence } from '#protocol/alerts';
import type { Expectation } from '#protocol/expectations';
import { aboutFields, OF_NO_RUN } from '../../../shared/occurrence-parts.ts';

export function expectationOccurrences(expectation: Expectation, about: About | null): Occurrence[] {
  const { job, machine, state, since, due_at: dueAt } = expectation;
  const common = {
    ...OF_NO_RUN,
    ...aboutFields(about),
    at: Date.parse(since),
    job,
    machine,
  };
  const id = (what: string, at: string | null) =>
    `${job}/${machine ?? ''}:${what}:${at === null ? '' : Date.parse(at)}`;
  switch (state) {
    case 'unknown':
      return [];
    case 'ok':
      return [{ ...common, id: id('ok', since), kind: 'fine', summary: 'a run has started' }];
    case 'late':
      return [
        {
          ...common,
          id: id('late', dueAt),
          kind: 'late',
          summary: `no run has started; one was due at ${timeText(dueAt)}`,
        },
      ];
    case 'missed':
      return [
        {
          ...common,
          id: id('missed', dueAt),
          kind: 'missed',
          summary: `no run has started since the one that was due at ${timeText(dueAt)}`,
        },
      ];
  }
}

/** `2026-01-31 12:00:00 UTC`: people read it. */
function timeText(at: string | null): string {
  return at === null ? 'an unknown time' : `${at.slice(0, 19).replace('T', ' ')} UTC`;
}

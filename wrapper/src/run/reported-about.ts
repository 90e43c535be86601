/** What the job is, as it is reported: without secrets, as the command line. */
import * as v from 'valibot';
import { type About, Note, Owner, Runbook, Tag } from '#protocol/about';
import type { StartFacts } from '../link/run-report.ts';
import { type RedactionRules, redactLine } from '../redact/redactor.ts';

/** @returns nothing when nothing was given */
export function reportedAbout({ tags, owner, runbook, note }: About, rules: RedactionRules): Pick<StartFacts, 'about'> {
  if (tags.length === 0 && owner === null && runbook === null && note === null) return {};
  /** What is no longer valid without its secrets is left out: it would void the rest. */
  const without = (schema: v.GenericSchema<string, string>, text: string | null): string | null => {
    const redacted = text === null ? null : redactLine(rules, text);
    return v.is(schema, redacted) ? redacted : null;
  };
  return {
    about: {
      tags: tags.filter((tag) => without(Tag, tag) === tag),
      owner: without(Owner, owner),
      runbook: without(Runbook, runbook),
      note: without(Note, note),
    },
  };
}

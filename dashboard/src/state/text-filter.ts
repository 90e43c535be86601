/**
 * The filter of the overview and the timeline, as typed: each word must match the job, the machine, the state or a tag.
 * A prefix `job:`, `machine:`, `state:` or `tag:` restricts a word to one field. Pure.
 */
import type { About } from '#protocol/about';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { STATE_LABELS } from '../format/run-state-labels.ts';

/** What can be looked for in a row. */
export interface Findable {
  readonly job: string;
  readonly machine: string;
  readonly state: string;
  /** Separated by spaces. */
  readonly tag: string;
}

/** A run by the words that its row shows. */
export function findable({ job, machine, state, connected, about }: Run): Findable {
  const label = STATE_LABELS[state];
  return { job, machine, tag: tagsText(about), state: isLive(state) && !connected ? `${label} disconnected` : label };
}

export function tagsText(about: About | null): string {
  return about?.tags.join(' ') ?? '';
}

const FIELDS = ['job', 'machine', 'state', 'tag'] as const;
type Field = (typeof FIELDS)[number];

export type Filter = readonly { readonly field: Field | null; readonly text: string }[];

export function parseFilter(typed: string): Filter {
  return typed
    .toLowerCase()
    .split(/\s+/)
    .flatMap((word) => {
      const field = FIELDS.find((name) => word.startsWith(`${name}:`)) ?? null;
      const text = field === null ? word : word.slice(field.length + 1);
      return text === '' ? [] : [{ field, text }];
    });
}

export function matches(filter: Filter, found: Findable): boolean {
  return filter.every(({ field, text }) =>
    field === null
      ? FIELDS.some((name) => found[name].toLowerCase().includes(text))
      : found[field].toLowerCase().includes(text),
  );
}

/** Gives each entry a job name of its own, from its command alone: the order and the schedules of entries don't matter. */
import type { NameParts } from './job-name.ts';

export interface NamedCommand {
  /** Entries with the same key run the same: they are one job. */
  readonly key: string;
  readonly parts: NameParts;
  /** Who runs it, where that is not the same for all: tells apart what nothing else does. */
  readonly user: string | null;
}

/**
 * @param taken the names in use, with the keys of what they run
 * @returns names by key
 */
export function nameJobs(commands: readonly NamedCommand[], taken: ReadonlyMap<string, string>): Map<string, string> {
  const names = new Map<string, string>();
  const used = new Set(taken.keys());
  for (const [name, key] of taken) {
    if (!names.has(key)) names.set(key, name);
  }
  const unnamed = [...new Map(commands.map((each) => [each.key, each])).values()].filter(({ key }) => !names.has(key));
  for (const group of groupBy(unnamed, ({ parts }) => parts.base).values()) {
    const mustDiffer = group.length > 1 || used.has(group[0]?.parts.base ?? '');
    const chosen = group.map(({ parts }) => (mustDiffer ? withDetails(parts, group) : parts.base));
    for (const [index, { key, user }] of group.entries()) {
      const name = chosen[index] ?? '';
      const isShared = used.has(name) || chosen.filter((each) => each === name).length > 1;
      const unused = unusedName(isShared && user !== null ? `${name}-${user}` : name, used);
      used.add(unused);
      names.set(key, unused);
    }
  }
  return names;
}

/** With those of its details in which it differs from another one with the same base. */
function withDetails({ base, details }: NameParts, group: readonly NamedCommand[]): string {
  const differing = details.filter((detail, index) => group.some(({ parts }) => parts.details[index] !== detail));
  return [base, ...(group.length > 1 ? differing : details)].slice(0, 4).join('-').slice(0, 100);
}

function unusedName(name: string, used: ReadonlySet<string>): string {
  if (!used.has(name)) return name;
  let number = 2;
  while (used.has(`${name}-${number}`)) number += 1;
  return `${name}-${number}`;
}

function groupBy<Value>(values: readonly Value[], keyOf: (value: Value) => string): Map<string, Value[]> {
  const groups = new Map<string, Value[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

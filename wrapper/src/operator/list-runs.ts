/** Runs that an operator selects: by names, which the control plane filters, and by globs, which it doesn't. */
import { Run } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import type { RunState } from '#protocol/run-state';
import type { ApiClient, Received } from './api-client.ts';

export interface RunSelection {
  /** Names or globs, any of which must match; none matches all. */
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  readonly instance: string | null;
  /** None: all states. */
  readonly states: readonly RunState[];
  /** Only runs that ended after this time, or have not ended. */
  readonly since: string | null;
}

/** Newest first, as they are asked for. */
export async function* listRuns(
  api: ApiClient,
  { jobs, machines, instance, states, since }: RunSelection,
  pageSize?: number,
): AsyncGenerator<Received<Run>, void, undefined> {
  const query = { job: onlyName(jobs), machine: onlyName(machines), instance, state: states.join(','), since };
  for await (const run of api.list(Run, 'runs', { path: '/runs', query }, pageSize)) {
    if (matchesAny(jobs, run.value.job) && matchesAny(machines, run.value.machine)) yield run;
  }
}

export function matchesAny(globs: readonly string[], name: string): boolean {
  return globs.length === 0 || globs.some((glob) => matchesGlob(glob, name));
}

/** The control plane takes one name. */
function onlyName(globs: readonly string[]): string | null {
  const [only] = globs;
  return globs.length === 1 && only !== undefined && !only.includes('*') ? only : null;
}

/** A run that has been lost for longer will hardly return. */
const LOST_MS = 7 * 24 * 60 * 60 * 1000;

/** What runs, or may: also runs that are lost and whose end is unknown. */
export async function openRuns(
  api: ApiClient,
  selection: Pick<RunSelection, 'jobs' | 'machines' | 'instance'>,
): Promise<Received<Run>[]> {
  const since = new Date(api.now() - LOST_MS).toISOString();
  const runs: Received<Run>[] = [];
  for await (const run of listRuns(api, { ...selection, states: ['running', 'killing', 'lost'], since })) {
    if (!run.value.final) runs.push(run);
  }
  return runs;
}

/** The first of them. */
export async function take<Item>(items: AsyncIterable<Item>, most: number): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length >= most) break;
  }
  return taken;
}

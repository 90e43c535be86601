/** Runs that an operator selects: by names, which the control plane filters, and by globs, which it doesn't. */
import { Run } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { isLive, LIVE_STATES, type RunState } from '#protocol/run-state';
import type { ApiCall, ApiClient, Received } from './api-client.ts';
import { ApiError } from './operator-error.ts';

export interface RunSelection {
  /** Names or globs, any of which must match; none matches all. */
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  readonly instance: string | null;
  /** Any of which a run must have; none matches all. */
  readonly tags: readonly string[];
  /** None: all states. */
  readonly states: readonly RunState[];
  /** Only runs that ended after this time, or have not ended. */
  readonly since: string | null;
}

/** Which runs, whatever their state. */
export type NamedRuns = Pick<RunSelection, 'jobs' | 'machines' | 'instance' | 'tags'>;

export interface ListOptions {
  readonly pageSize?: number;
  /** Fails at once when the control plane is busy. */
  readonly isImpatient?: boolean;
}

/** Newest first, as they are asked for. */
export async function* listRuns(
  api: ApiClient,
  { jobs, machines, instance, tags, states, since }: RunSelection,
  { pageSize, isImpatient = false }: ListOptions = {},
): AsyncGenerator<Received<Run>, void, undefined> {
  // The control plane takes one.
  const tag = tags.length === 1 ? (tags[0] ?? null) : null;
  const names = { job: onlyName(jobs), machine: onlyName(machines), instance, tag };
  const call = { query: { ...names, since }, isImpatient };
  for await (const run of listInStates(api, states, call, pageSize)) {
    if (isSelected({ jobs, machines, instance: null, tags }, run.value)) yield run;
  }
}

/** What a control plane of 0.2.0 doesn't know, and so has no run in. */
const NEW_STATES: readonly RunState[] = ['waiting', 'skipped'];

/** Runs in these states, or in any; also of a control plane that refuses a list in a state that it doesn't know. */
export async function* listInStates(
  api: ApiClient,
  states: readonly RunState[],
  call: Pick<ApiCall, 'query' | 'signal' | 'isImpatient'>,
  pageSize?: number,
): AsyncGenerator<Received<Run>, void, undefined> {
  const list = (some: readonly RunState[]) =>
    api.list(Run, 'runs', { ...call, path: '/runs', query: { ...call.query, state: some.join(',') } }, pageSize);
  const known = states.filter((state) => !NEW_STATES.includes(state));
  try {
    yield* list(states);
  } catch (error) {
    const mayBeOlder = error instanceof ApiError && error.code === 'bad_request';
    if (!mayBeOlder || known.length === 0 || known.length === states.length) throw error;
    yield* list(known);
  }
}

/** Whether a run that the control plane has not filtered is on such a list, whatever its state. */
export function isSelected(
  { jobs, machines, instance, tags }: NamedRuns,
  run: Pick<Run, 'job' | 'machine' | 'instance' | 'about'>,
): boolean {
  return (
    matchesAny(jobs, run.job) &&
    matchesAny(machines, run.machine) &&
    (instance === null || run.instance === instance) &&
    hasAny(tags, run)
  );
}

/** Whether a job or run has one of these tags. */
export function hasAny(tags: readonly string[], { about }: Pick<Run, 'about'>): boolean {
  return tags.length === 0 || tags.some((tag) => about?.tags.includes(tag) === true);
}

export function matchesAny(globs: readonly string[], name: string): boolean {
  return globs.length === 0 || globs.some((glob) => matchesGlob(glob, name));
}

/** The control plane takes one name. */
function onlyName(globs: readonly string[]): string | null {
  const [only] = globs;
  return globs.length === 1 && only !== undefined && !only.includes('*') ? only : null;
}

/** In which a run may be open. */
export const OPEN_STATES: readonly RunState[] = [...LIVE_STATES, 'lost'];

/** A run that has been lost for longer will hardly return. */
const LOST_MS = 7 * 24 * 60 * 60 * 1000;

/** Whether it runs, waits to be told to start, or may run: also if it is lost and its end is unknown. */
export function isOpen({ state, final }: Pick<Run, 'state' | 'final'>): boolean {
  return isLive(state) || !final;
}

/** The runs that are open, the newest first. */
export async function* openRuns(
  api: ApiClient,
  selection: NamedRuns,
  options: ListOptions = {},
): AsyncGenerator<Received<Run>, void, undefined> {
  const since = new Date(api.now() - LOST_MS).toISOString();
  const listed = listRuns(api, { ...selection, states: OPEN_STATES, since }, options);
  for await (const run of listed) if (isOpen(run.value)) yield run;
}

/** The first of them. */
export async function take<Item>(items: AsyncIterable<Item>, most = Number.POSITIVE_INFINITY): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length >= most) break;
  }
  return taken;
}

/** Which runs a kill is for, and the calls that kill exactly those. Pure. */
import type { KillManyRequest, KillRequest, Run } from '#protocol/api';
import { MAX_KILLED_RUNS } from '#protocol/limits';
import { isLive } from '#protocol/run-state';
import { refOf } from '../find-run.ts';
import { isSelected } from '../list-runs.ts';
import { isOneJob, matchWord, type Word } from './words.ts';

/** What was named on the command line. Without words: the runs of all jobs. */
export interface Selector {
  readonly words: readonly Word[];
  /** Globs, any of which must match; empty for all machines. */
  readonly machines: readonly string[];
  readonly instance: string | null;
}

export interface Selection {
  /** What can be killed. */
  readonly runs: readonly Run[];
  /** Runs that were named and have ended, and left nothing running. */
  readonly ended: readonly Run[];
  /** Runs that have been lost for very long, and that nothing names: their machines were probably switched off for good. */
  readonly longLost: readonly Run[];
  /** Words that nothing matches. */
  readonly unmatched: readonly Word[];
  /** Parts of run ids that several runs share. */
  readonly ambiguous: readonly { readonly text: string; readonly runs: readonly Run[] }[];
}

/** The control plane's own default for kills that name neither run nor instance. */
const LONG_LOST_MS = 24 * 60 * 60 * 1_000;

/** @param runs the open runs, and the runs that were named by their id */
export function selectRuns({ words, machines, instance }: Selector, runs: readonly Run[], now: number): Selection {
  const candidates = runs.filter((run) => isSelected({ jobs: [], machines, instance, tags: [] }, run));
  const matches = words.map((word) => ({ word, match: matchWord(word, candidates) }));
  const matched =
    words.length === 0 ? candidates : matches.flatMap(({ match }) => (match.kind === 'found' ? match.runs : []));
  const distinct = [...new Map(matched.map((run) => [refOf(run), run])).values()];
  const named = new Set(
    matches.flatMap(({ match }) => (match.kind === 'found' && match.by === 'run' ? match.runs : [])),
  );
  const isNamed = (run: Run) => instance !== null || named.has(run);
  const killable = distinct.filter(isKillable).sort(byJobAndMachine);
  return {
    runs: killable.filter((run) => isNamed(run) || !isLongLost(run, now)),
    longLost: killable.filter((run) => !isNamed(run) && isLongLost(run, now)),
    ended: distinct.filter((run) => !isKillable(run)),
    unmatched: matches.flatMap(({ word, match }) => (match.kind === 'nothing' ? [word] : [])),
    ambiguous: matches.flatMap(({ word, match }) =>
      match.kind === 'ambiguous' ? [{ text: word.text, runs: match.runs }] : [],
    ),
  };
}

/** Also a run that has ended, as long as something that it has left running can be killed. */
function isKillable(run: Run): boolean {
  if (!run.final) return isLive(run.state) || run.state === 'lost';
  return run.left_running.some(({ relation }) => relation === undefined);
}

function isLongLost({ state, final, disconnected_since: since }: Run, now: number): boolean {
  return state === 'lost' && !final && since !== null && now - Date.parse(since) > LONG_LOST_MS;
}

function byJobAndMachine(one: Run, other: Run): number {
  return compare(one.job, other.job) || compare(one.machine, other.machine) || compare(one.id, other.id);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The filters of a list of runs. */
export interface RunQuery {
  readonly job?: string;
  readonly machine?: string;
  readonly instance?: string;
}

/** More jobs are read as one list of all runs. */
const MAX_LISTED_JOBS = 5;

/** The lists that have every open run that can match; none when only whole run ids were named. */
export function listQueries({ words, machines, instance }: Selector): readonly RunQuery[] {
  const listed = words.filter((word) => word.kind !== 'run');
  if (words.length > 0 && listed.length === 0) return [];
  const [machine = '*'] = machines;
  const ofAll: RunQuery = {
    ...(machines.length === 1 && !machine.includes('*') && { machine }),
    ...(instance !== null && { instance }),
  };
  const jobs = new Set(listed.map(onlyJob));
  if (jobs.size === 0 || jobs.size > MAX_LISTED_JOBS) return [ofAll];
  const named = [...jobs].flatMap((job) => (job === null ? [] : [{ ...ofAll, job }]));
  return named.length < jobs.size ? [ofAll] : named;
}

/** The only job that a word can match; null when there may be others. */
function onlyJob(word: Word): string | null {
  if (word.kind === 'part_of_run') return word.job;
  return word.kind === 'jobs' && isOneJob(word) && word.idPart === null ? word.glob : null;
}

/** How to kill, and why. What is absent is each run's own. */
export type KillOptions = Pick<KillRequest, 'signal' | 'grace_seconds' | 'include' | 'reason'>;

export type KillCall =
  | { readonly kind: 'job'; readonly job: string; readonly body: KillRequest }
  | { readonly kind: 'many'; readonly body: KillManyRequest };

/** Calls that kill these runs and no others. A run is named with its job: that works while the index is down. */
export function callsForRuns(runs: readonly RunName[], options: KillOptions): readonly KillCall[] {
  const [only, ...others] = runs;
  if (only === undefined) return [];
  if (others.length === 0) return [{ kind: 'job', job: only.job, body: { run: only.id, ...options } }];
  const named = runs.map(({ id, job }) => ({ job, run: id }));
  const calls: KillCall[] = [];
  for (let start = 0; start < named.length; start += MAX_KILLED_RUNS) {
    calls.push({ kind: 'many', body: { runs: named.slice(start, start + MAX_KILLED_RUNS), ...options } });
  }
  return calls;
}

/**
 * Calls that kill everything that matches: also runs that no list has yet, and those that started before the kill and
 * connect while it is valid.
 *
 * @param runs those that were selected by it, also if they have ended; null: no list could be read
 * @returns null when something can't be named without a list
 */
export function callsForSelector(
  { words, machines, instance }: Selector,
  runs: readonly Run[] | null,
  options: KillOptions,
): readonly KillCall[] | null {
  const exact: RunName[] = [];
  const globs: string[] = [];
  const isAnywhere = machines.length === 0 && instance === null;
  for (const word of words) {
    const named = runs === null ? namedUnlisted(word, isAnywhere) : namedAmong(word, runs);
    if (named === null) return null;
    if (named.kind === 'jobs') globs.push(named.glob);
    else exact.push(...named.runs);
  }
  const distinct = new Map(exact.map((run) => [refOf(run), run]));
  const calls = callsForRuns([...distinct.values()], options);
  return words.length > 0 && globs.length === 0
    ? calls
    : [...calls, ...selectorCalls({ globs, machines, instance }, options)];
}

type RunName = Pick<Run, 'id' | 'job'>;

/** What a kill by name sends for a word. */
type NamedByWord =
  | { readonly kind: 'jobs'; readonly glob: string }
  | { readonly kind: 'runs'; readonly runs: readonly RunName[] };

/** What is no part of a known run's id is a job, although it may look like one. */
function namedAmong(word: Word, runs: readonly Run[]): NamedByWord {
  const match = matchWord(word, runs);
  const isOfRuns = match.kind === 'ambiguous' || (match.kind === 'found' && match.by === 'run');
  if (word.kind === 'jobs' && !isOfRuns) return { kind: 'jobs', glob: word.glob };
  return { kind: 'runs', runs: match.kind === 'found' ? match.runs.filter(isKillable) : [] };
}

/** @param isAnywhere whether machines and instances don't matter: only a list says which a run has */
function namedUnlisted(word: Word, isAnywhere: boolean): NamedByWord | null {
  if (word.kind === 'jobs') return { kind: 'jobs', glob: word.glob };
  if (word.kind !== 'run' || word.job === null || !isAnywhere) return null;
  return { kind: 'runs', runs: [{ id: word.run, job: word.job }] };
}

/** The jobs whose runs these can kill; none where these can be any job's. */
export function jobsOfCalls(calls: readonly KillCall[]): ReadonlySet<string> {
  const jobs = new Set<string>();
  for (const call of calls) {
    if (call.kind === 'job') jobs.add(call.job);
    else if (call.body.runs === undefined) return new Set();
    else for (const run of call.body.runs) if (typeof run !== 'string') jobs.add(run.job);
  }
  return jobs;
}

/** How many globs one call takes. */
const MAX_GLOBS = 20;

interface Globs {
  readonly globs: readonly string[];
  readonly machines: readonly string[];
  readonly instance: string | null;
}

function selectorCalls({ globs, machines, instance }: Globs, options: KillOptions): readonly KillCall[] {
  const where = { ...(instance !== null && { instance }) };
  const [only = '*', ...others] = globs;
  if (globs.length === 1 && others.length === 0 && !only.includes('*')) {
    const on = machines.length === 0 ? {} : { machine: machines.join(',') };
    return [{ kind: 'job', job: only, body: { ...on, ...where, ...options } }];
  }
  const on = machines.length === 0 ? {} : { machines: [...machines] };
  const calls: KillCall[] = [];
  for (let start = 0; start < Math.max(1, globs.length); start += MAX_GLOBS) {
    const jobs = globs.slice(start, start + MAX_GLOBS);
    calls.push({ kind: 'many', body: { ...(jobs.length > 0 && { jobs }), ...on, ...where, ...options } });
  }
  return calls;
}

/** Finds the run that an operator names: by its id, or by enough of its beginning or end. */

import * as v from 'valibot';
import { Job, Run } from '#protocol/api';
import { RunId } from '#protocol/names';
import type { ApiClient, Received } from './api-client.ts';
import { EXIT } from './exit-codes.ts';
import { ApiError, OperatorError } from './operator-error.ts';

/** The characters of a ULID that people are shown where there is little room: its end differs between runs. */
export const SHORT_ID_CHARS = 8;

export function shortId(id: string): string {
  return id.slice(-SHORT_ID_CHARS);
}

/** Tells a run from those of other jobs: these may have reported the same id. */
export function refOf({ job, id }: Pick<Run, 'job' | 'id'>): string {
  return `${job}/${id}`;
}

/** With fewer, a word is rather a name than a part of an id. */
export const LEAST_ID_CHARS = 4;
/** How many of the newest runs are searched for a part of an id. */
const SEARCHED_RUNS = 2_000;

export type FoundRun =
  | { readonly kind: 'found'; readonly run: Received<Run> }
  | { readonly kind: 'none' }
  /** Newest first. */
  | { readonly kind: 'ambiguous'; readonly candidates: readonly Received<Run>[] };

/** Whether a word may be an id of a run or of a kill, or a part of one. */
export function isPartOfId(word: string, leastChars = LEAST_ID_CHARS): boolean {
  return word.length >= leastChars && word.length <= 26 && /^[0-9A-HJKMNP-TV-Z]+$/i.test(word);
}

/** Whether an id begins or ends like this. @param part in capitals */
export function hasPart(id: string, part: string): boolean {
  return id.startsWith(part) || id.endsWith(part);
}

/**
 * @param word a run's id; or its beginning or end, of at least four characters, for one of the newest runs
 * @param job the job of the run; null for any
 * @throws {ApiError}
 */
export async function findRun(api: ApiClient, word: string, job: string | null): Promise<FoundRun> {
  const part = word.toUpperCase();
  if (v.is(RunId, part)) return findById(api, part, job);
  if (!isPartOfId(word)) return { kind: 'none' };
  const candidates: Received<Run>[] = [];
  let count = 0;
  for await (const run of api.list(Run, 'runs', { path: '/runs', query: { job } })) {
    if (hasPart(run.value.id, part)) candidates.push(run);
    count += 1;
    if (count >= SEARCHED_RUNS) break;
  }
  const [only] = candidates;
  if (only === undefined) return { kind: 'none' };
  return candidates.length === 1 ? { kind: 'found', run: only } : { kind: 'ambiguous', candidates };
}

async function findById(api: ApiClient, id: string, job: string | null): Promise<FoundRun> {
  try {
    return { kind: 'found', run: await getRun(api, id, job) };
  } catch (error) {
    if (error instanceof ApiError && error.code === 'unknown_run') return { kind: 'none' };
    throw error;
  }
}

/** The run as it is now: a list has it as of its last change of state. @throws {ApiError} */
export function getRun(api: ApiClient, id: string, job: string | null): Promise<Received<Run>> {
  return api.get(Run, 'run', { path: `/runs/${id}`, query: { job } });
}

export type JobOrRun =
  | { readonly kind: 'job'; readonly job: Received<Job> }
  | { readonly kind: 'run'; readonly run: Received<Run> };

/** A word that is the name of a job means the job. @throws {OperatorError} when it means neither, or several runs */
export async function findJobOrRun(api: ApiClient, word: string, ofJob: string | null): Promise<JobOrRun> {
  const job = ofJob === null && !v.is(RunId, word) ? await findJob(api, word) : null;
  if (job !== null) return { kind: 'job', job };
  if (!isPartOfId(word)) throw new OperatorError(`No job is called ${word}. leash jobs lists them.`, EXIT.notFound);
  return { kind: 'run', run: await requireRun(api, word, ofJob) };
}

/** @returns null when no run of it was ever reported, or the token may not read it */
export async function findJob(api: ApiClient, word: string): Promise<Received<Job> | null> {
  try {
    return await api.get(Job, 'job', { path: `/jobs/${encodeURIComponent(word)}` });
  } catch (error) {
    if (error instanceof ApiError && error.code === 'unknown_job') return null;
    throw error;
  }
}

/** The run itself. @throws {OperatorError} that lists the candidates when there are several */
export async function requireRun(api: ApiClient, word: string, job: string | null): Promise<Received<Run>> {
  const found = await findRun(api, word, job);
  switch (found.kind) {
    case 'found':
      return found.run;
    case 'none':
      throw new OperatorError(noSuchRun(word), EXIT.notFound);
    case 'ambiguous':
      return refuseAmbiguous(word, found.candidates);
  }
}

function noSuchRun(word: string): string {
  return v.is(RunId, word.toUpperCase())
    ? `No run has the id ${word.toUpperCase()}.`
    : `None of the newest ${SEARCHED_RUNS.toLocaleString('en-US')} runs has an id that begins or ends with ${word}.`;
}

const LISTED = 10;

/** @throws {OperatorError} that lists them */
function refuseAmbiguous(word: string, candidates: readonly Received<Run>[]): never {
  const message = `${candidates.length} runs have an id that begins or ends with ${word}. Give more of it.`;
  const listed = candidates
    .slice(0, LISTED)
    .map(({ value: { id, job, machine, state } }) => `${id}  ${job} on ${machine}, ${state}`);
  const more = candidates.length > LISTED ? [`and ${candidates.length - LISTED} more`] : [];
  throw new OperatorError(message, EXIT.usage, [...listed, ...more]);
}

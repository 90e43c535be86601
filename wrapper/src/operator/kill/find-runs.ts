/** Reads the runs that a kill may be for. */
import { Run } from '#protocol/api';
import type { ApiClient } from '../api-client.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { refOf } from '../find-run.ts';
import { listInStates, OPEN_STATES, take } from '../list-runs.ts';
import { ApiError, OperatorError } from '../operator-error.ts';
import { listQueries, type RunQuery, type Selection, type Selector, selectRuns } from './selection.ts';
import type { Word } from './words.ts';

export type FoundRuns =
  | { readonly kind: 'listed'; readonly selection: Selection }
  /** The control plane can take a kill, and can't say which runs there are; or may not say it to this token. */
  | { readonly kind: 'unlisted'; readonly why: string; readonly exitCode: ExitCode };

/** @throws {OperatorError} */
export async function findRuns(api: ApiClient, selector: Selector): Promise<FoundRuns> {
  try {
    const listed = await Promise.all(listQueries(selector).map((query) => listRuns(api, query)));
    const named = await Promise.all(selector.words.map((word) => namedRun(api, word)));
    const runs = new Map([...listed.flat(), ...named.flat()].map((run) => [refOf(run), run]));
    return { kind: 'listed', selection: selectRuns(selector, [...runs.values()], api.now()) };
  } catch (error) {
    if (!(error instanceof ApiError && isUnlisted(error))) throw error;
    const exitCode = error.exitCode === EXIT.notAllowed ? EXIT.notAllowed : EXIT.outOfReach;
    return { kind: 'unlisted', why: error.message, exitCode };
  }
}

/** Adds to an error what follows from it: from an error after something was sent, the exit code doesn't tell it apart. */
export function adding(consequence: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ApiError)) throw error;
    throw new OperatorError(`${error.message} ${consequence}`, error.exitCode);
  };
}

/** The index is unavailable, or the token may only kill. */
function isUnlisted({ failure }: ApiError): boolean {
  return failure.kind === 'problem' && (failure.status >= 500 || failure.problem?.code === 'forbidden');
}

async function listRuns(api: ApiClient, query: RunQuery): Promise<Run[]> {
  const runs = await take(listInStates(api, OPEN_STATES, { query: { ...query }, isImpatient: true }));
  return runs.map(({ value }) => value);
}

/** The run of a word that is a whole id; also one that has ended, and in its current state. */
async function namedRun(api: ApiClient, word: Word): Promise<Run[]> {
  if (word.kind !== 'run') return [];
  const { run, job } = word;
  try {
    return [(await api.get(Run, 'run', { path: `/runs/${run}`, query: { job }, isImpatient: true })).value];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 'unknown_run') return [];
    if (error.code !== 'run_ambiguous' || error.failure.kind !== 'problem') throw error;
    const jobs = error.failure.problem?.jobs ?? [];
    throw new OperatorError(
      `Several jobs have a run ${run}. Name it with its job: ${jobs.map((each) => `${each}/${run}`).join(' or ')}.`,
      EXIT.usage,
    );
  }
}

/** The runs that match by now, and are not among those that were to be killed; none where that can't be read. */
export async function startedSince(
  api: ApiClient,
  selector: Selector,
  isKnown: (run: Run) => boolean,
): Promise<readonly Run[]> {
  try {
    const found = await findRuns(api, selector);
    return found.kind === 'listed' ? found.selection.runs.filter((run) => !run.final && !isKnown(run)) : [];
  } catch (error) {
    // The kill is over, and this is not what it was for.
    if (error instanceof OperatorError) return [];
    throw error;
  }
}

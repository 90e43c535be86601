/** What `leash kill` can name: a job, several by a glob, a run, or a run with its job. */
import * as v from 'valibot';
import { matchesGlob } from '#protocol/glob';
import { Glob, JobName, RunId } from '#protocol/names';
import { hasPart, isPartOfId, LEAST_ID_CHARS, SHORT_ID_CHARS } from '../find-run.ts';

export type Word =
  /** A job, or jobs. `idPart`: it may also be how a run's id begins or ends. */
  | { readonly kind: 'jobs'; readonly text: string; readonly glob: string; readonly idPart: string | null }
  | { readonly kind: 'run'; readonly text: string; readonly job: string | null; readonly run: string }
  /** How the id of one of a job's runs begins or ends. */
  | { readonly kind: 'part_of_run'; readonly text: string; readonly job: string; readonly idPart: string };

/**
 * As much of an id as `leash ps` shows, and more than where a run is only looked at: a shorter word is rather the name of a
 * job that isn't running, and must not kill a run of another one.
 */
const LEAST_CHARS = SHORT_ID_CHARS;

/** @returns a message when the text can name nothing */
export function parseWord(text: string): Word | string {
  const slash = text.indexOf('/');
  if (slash >= 0) return parseRunOfJob(text, text.slice(0, slash), text.slice(slash + 1).toUpperCase());
  const upper = text.toUpperCase();
  if (v.is(RunId, upper)) return { kind: 'run', text, job: null, run: upper };
  if (!v.is(Glob, text)) return `${text}: not a job, a glob of jobs, a run id or JOB/RUN`;
  return { kind: 'jobs', text, glob: text, idPart: isPartOfId(upper, LEAST_CHARS) ? upper : null };
}

function parseRunOfJob(text: string, job: string, id: string): Word | string {
  if (!v.is(JobName, job)) return `${text}: ${job === '' ? 'the job is missing' : `${job} is not the name of a job`}`;
  if (v.is(RunId, id)) return { kind: 'run', text, job, run: id };
  if (!isPartOfId(id, LEAST_ID_CHARS)) return `${text}: not a job and the id of a run, or the end of one`;
  return { kind: 'part_of_run', text, job, idPart: id };
}

/** The parts of a run by which it is selected. */
interface Named {
  readonly id: string;
  readonly job: string;
}

export type WordMatch<Run extends Named> =
  /** `by`: whether their job is named, or each of them. */
  | { readonly kind: 'found'; readonly runs: readonly Run[]; readonly by: 'job' | 'run' }
  /** It is a part of several runs' ids. */
  | { readonly kind: 'ambiguous'; readonly runs: readonly Run[] }
  | { readonly kind: 'nothing' };

/** The runs that a word names. A job's name comes before a part of a run id. */
export function matchWord<Run extends Named>(word: Word, runs: readonly Run[]): WordMatch<Run> {
  switch (word.kind) {
    case 'run':
      return found(
        'run',
        runs.filter(({ id, job }) => id === word.run && (word.job === null || word.job === job)),
      );
    case 'part_of_run':
      return onlyOne(runs.filter(({ id, job }) => job === word.job && hasPart(id, word.idPart)));
    case 'jobs': {
      const ofJobs = runs.filter(({ job }) => matchesGlob(word.glob, job));
      const { idPart } = word;
      if (ofJobs.length > 0 || idPart === null) return found('job', ofJobs);
      return onlyOne(runs.filter(({ id }) => hasPart(id, idPart)));
    }
  }
}

function found<Run extends Named>(by: 'job' | 'run', runs: readonly Run[]): WordMatch<Run> {
  return runs.length === 0 ? { kind: 'nothing' } : { kind: 'found', runs, by };
}

function onlyOne<Run extends Named>(runs: readonly Run[]): WordMatch<Run> {
  return runs.length > 1 ? { kind: 'ambiguous', runs } : found('run', runs);
}

/** Whether a word is the plain name of one job. */
export function isOneJob(word: Word): boolean {
  return word.kind === 'jobs' && !word.glob.includes('*') && v.is(JobName, word.glob);
}

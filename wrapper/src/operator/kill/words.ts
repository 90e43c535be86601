/** What `leash kill` and `leash logs` can name: a job, several by a glob, a run, or a run with its job. */
import * as v from 'valibot';
import { matchesGlob } from '#protocol/glob';
import { Glob, JobName, RunId } from '#protocol/names';

export type Word =
  /** A job, or jobs. `idPrefix`: it may also be how run ids begin. */
  | { readonly kind: 'jobs'; readonly text: string; readonly glob: string; readonly idPrefix: string | null }
  | { readonly kind: 'run'; readonly text: string; readonly job: string | null; readonly run: string }
  /** How the ids of a job's runs begin. */
  | { readonly kind: 'run_prefix'; readonly text: string; readonly job: string; readonly idPrefix: string };

/** As much of an id as `leash ps` ever shows. A shorter one says only in which weeks the run started. */
const ID_PREFIX = /^[0-7][0-9A-HJKMNP-TV-Z]{5,25}$/;

/** @returns a message when the text can name nothing */
export function parseWord(text: string): Word | string {
  const slash = text.indexOf('/');
  if (slash >= 0) return parseRunOfJob(text, text.slice(0, slash), text.slice(slash + 1).toUpperCase());
  const upper = text.toUpperCase();
  if (v.is(RunId, upper)) return { kind: 'run', text, job: null, run: upper };
  if (!v.is(Glob, text)) return `${text}: not a job, a glob of jobs, a run id or JOB/RUN`;
  return { kind: 'jobs', text, glob: text, idPrefix: ID_PREFIX.test(upper) ? upper : null };
}

function parseRunOfJob(text: string, job: string, id: string): Word | string {
  if (!v.is(JobName, job)) return `${text}: ${job === '' ? 'the job is missing' : `${job} is not the name of a job`}`;
  if (v.is(RunId, id)) return { kind: 'run', text, job, run: id };
  if (!ID_PREFIX.test(id))
    return `${text}: the part after the slash is not a run id, nor the first 6 characters of one`;
  return { kind: 'run_prefix', text, job, idPrefix: id };
}

/** The parts of a run by which it is selected. */
interface Named {
  readonly id: string;
  readonly job: string;
}

export type WordMatch<Run extends Named> =
  | { readonly kind: 'found'; readonly runs: readonly Run[] }
  /** Several runs' ids begin like this. */
  | { readonly kind: 'ambiguous'; readonly runs: readonly Run[] }
  | { readonly kind: 'nothing' };

/** The runs that a word names. A job's name comes before the beginning of a run id. */
export function matchWord<Run extends Named>(word: Word, runs: readonly Run[]): WordMatch<Run> {
  switch (word.kind) {
    case 'run':
      return found(runs.filter(({ id, job }) => id === word.run && (word.job === null || word.job === job)));
    case 'run_prefix':
      return onlyOne(runs.filter(({ id, job }) => job === word.job && id.startsWith(word.idPrefix)));
    case 'jobs': {
      const ofJobs = runs.filter(({ job }) => matchesGlob(word.glob, job));
      const { idPrefix } = word;
      if (ofJobs.length > 0 || idPrefix === null) return found(ofJobs);
      return onlyOne(runs.filter(({ id }) => id.startsWith(idPrefix)));
    }
  }
}

function found<Run extends Named>(runs: readonly Run[]): WordMatch<Run> {
  return runs.length === 0 ? { kind: 'nothing' } : { kind: 'found', runs };
}

function onlyOne<Run extends Named>(runs: readonly Run[]): WordMatch<Run> {
  return runs.length > 1 ? { kind: 'ambiguous', runs } : found(runs);
}

/** Whether a word is the plain name of one job. */
export function isOneJob(word: Word): boolean {
  return word.kind === 'jobs' && !word.glob.includes('*') && v.is(JobName, word.glob);
}

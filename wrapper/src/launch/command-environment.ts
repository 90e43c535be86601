/** The environment that the command gets. */
import type { Environment } from '../config/config-file.ts';
import { KEEP_VARIABLE } from '../processes/kept-processes.ts';
import { hideFromNode } from './hidden-variables.ts';

/** The prefix of all cookies. */
export const COOKIE_PREFIX = 'LEASH_RUN_';

/**
 * The variable that identifies everything that a run starts. The run's id is in the *name*, so that a nested run can add
 * its own.
 */
export function cookieOf(run: string): string {
  return COOKIE_PREFIX + run;
}

/** Names the run for the command's own use, such as its temporary files. */
const RUN_VARIABLE = 'LEASH_RUN_ID';
/** A number that rises with each admission of the job, for the command's own writes: only if the run was admitted. */
export const FENCE_VARIABLE = 'LEASH_FENCE';

/**
 * Our environment without the control plane's credentials and an outer run's fence, with the run's id and cookie and the
 * variables of `--env`. Where LEASH_KEEP excludes us from kills of outer runs, it excludes the command from those, too, but
 * not from its own run's.
 */
export function commandEnvironment(
  environment: Environment,
  run: string,
  additions: Readonly<Record<string, string>>,
): Environment {
  const { LEASH_TOKEN: _token, LEASH_TOKEN_FILE: _file, [FENCE_VARIABLE]: _fence, ...rest } = environment;
  const { [KEEP_VARIABLE]: keep, ...inherited } = rest;
  const base = keep === undefined ? inherited : withoutCookies(inherited);
  return { ...base, [RUN_VARIABLE]: run, [cookieOf(run)]: '1', ...additions };
}

function withoutCookies(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith(COOKIE_PREFIX)));
}

/**
 * The environment for our own background processes: they aren't part of a run that we are nested in, and variables that
 * configure Node are meant for the command.
 */
export function environmentForOurselves(environment: Environment): Environment {
  return hideFromNode(
    Object.fromEntries(
      Object.entries(environment).flatMap(([name, value]) =>
        value === undefined || name.startsWith(COOKIE_PREFIX) ? [] : [[name, value]],
      ),
    ),
  );
}

/** The environment that the command gets. */
import type { Environment } from '../config/config-file.ts';
import { KEEP_VARIABLE } from '../processes/kept-processes.ts';
import { hideFromNode } from './hidden-variables.ts';

/** What the names of all cookies begin with. */
export const COOKIE_PREFIX = 'LEASH_RUN_';

/**
 * The variable by which everything that a run starts is recognised. The run's id is in the *name*, so that a nested run
 * adds its own beside it.
 */
export function cookieOf(run: string): string {
  return COOKIE_PREFIX + run;
}

/**
 * Ours without the control plane's credentials, with the run's cookie and what was asked for. Where we are to be kept by
 * the runs that we are a part of, the command is to be kept by them, too, but not by its own.
 */
export function commandEnvironment(
  environment: Environment,
  run: string,
  additions: Readonly<Record<string, string>>,
): Environment {
  const { LEASH_TOKEN: _token, LEASH_TOKEN_FILE: _file, ...rest } = environment;
  const { [KEEP_VARIABLE]: keep, ...inherited } = rest;
  return { ...(keep === undefined ? inherited : withoutCookies(inherited)), [cookieOf(run)]: '1', ...additions };
}

function withoutCookies(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith(COOKIE_PREFIX)));
}

/**
 * For what we start of ourselves in the background: it is no part of a run that we are nested in, and what governs Node
 * is meant for the command.
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

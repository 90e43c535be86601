/** The environment that the command gets. */
import type { Environment } from '../cli/config-file.ts';
import { hideFromNode } from '../command/hidden-variables.ts';

/** What the names of all cookies begin with. */
export const COOKIE_PREFIX = 'LEASH_RUN_';

/**
 * The variable by which everything that a run starts is recognised. The run's id is in the *name*, so that a nested run
 * adds its own beside it.
 */
export function cookieOf(run: string): string {
  return COOKIE_PREFIX + run;
}

/** Ours without the control plane's credentials, with the run's cookie and what was asked for. */
export function commandEnvironment(
  environment: Environment,
  run: string,
  additions: Readonly<Record<string, string>>,
): Environment {
  const { LEASH_TOKEN: _token, LEASH_TOKEN_FILE: _file, ...rest } = environment;
  return { ...rest, [cookieOf(run)]: '1', ...additions };
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

/** The one process in the background that sends what runs on this machine could not. */
import type { Environment } from '../cli/config-file.ts';
import type { ControlPlane } from '../cli/control-plane.ts';
import { describeError, type Log } from '../log.ts';
import { COOKIE_PREFIX } from '../run/command-environment.ts';
import { ownProgram } from '../run/own-program.ts';
import { spawnApart } from '../run/spawn-apart.ts';
import type { State } from '../run/state.ts';
import { isFlusherAtWork } from '../spool/flusher-lock.ts';
import { listRunDirectories } from '../spool/run-listing.ts';
import { flusherKey, isToBeSent } from './leftover.ts';

/** How long it keeps trying; after that the next run starts it again. */
const KEEPS_TRYING = '1d';

/**
 * Starts it, if there is something to send and it does not run already. It knows the same control plane by the same
 * token; where there are several tokens on a machine, there may be several of it. Never fails.
 */
export async function ensureFlusher(
  state: State,
  controlPlane: ControlPlane,
  environment: Environment,
  log: Log,
): Promise<void> {
  const left = await listRunDirectories(state.directory, state.processes);
  if (!left.some((each) => isToBeSent(each, controlPlane))) return;
  // One that is just about to end looks once more after it has given up its lock.
  if (await isFlusherAtWork(state.directory, flusherKey(controlPlane), state.processes)) return;
  start(controlPlane, environment, log);
}

/** The command line of it, and the only way that it may be started: several that are find out which is to stay. */
export function flusherCommand({ baseUrl, token }: ControlPlane): [string, ...string[]] {
  const named = token.kind === 'file' ? ['--token-file', token.path] : [];
  return [...ownProgram(), 'flush', '--for', KEEPS_TRYING, '--url', baseUrl, ...named];
}

function start(controlPlane: ControlPlane, environment: Environment, log: Log): void {
  const [program, ...args] = flusherCommand(controlPlane);
  const failed = (error: unknown) => log.tell(`what is left can't be sent in the background: ${describeError(error)}`);
  try {
    const child = spawnApart(program, args, {
      env: withoutCookies(environment),
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    child.on('error', failed);
    child.unref();
    log.note('started `leash flush` in the background');
  } catch (error) {
    // Too many open files, the arguments are too long.
    failed(error);
  }
}

/** It is no part of a run that we are nested in, and is not to end with that. */
function withoutCookies(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith(COOKIE_PREFIX)));
}

/** The one process in the background that sends what runs on this machine could not. */
import type { Environment } from '../config/config-file.ts';
import type { ControlPlane } from '../config/control-plane.ts';
import { ownProgram } from '../host/own-program.ts';
import { spawnDetached } from '../host/spawn-detached.ts';
import { environmentForOurselves } from '../launch/command-environment.ts';
import { describeError, type Log } from '../logging/log.ts';
import { isToBeSent, iterateRuns } from '../state/run-listing.ts';
import type { State } from '../state/state-directory.ts';
import { flusherKey, isFlusherAtWork } from './flusher-lock.ts';

/** How long it keeps trying to send a run; after that the next run starts it again. */
const FLUSHER_WINDOW = '1d';

/**
 * Sees to it that what others have left is sent. Never fails.
 *
 * @param signal ends the search for it
 */
export async function startFlusherIfNeeded(
  state: State,
  controlPlane: ControlPlane,
  environment: Environment,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  // Asked first: where a lot is left, a flusher is at work as a rule, and to read all of it takes seconds.
  if (await isFlusherAtWork(state.directory, flusherKey(controlPlane), state.processes)) return;
  for await (const each of iterateRuns(state.directory, state.processes)) {
    if (signal.aborted) return;
    if (isToBeSent(each, controlPlane, state.processes)) return ensureFlusher(state, controlPlane, environment, log);
  }
}

/**
 * Starts it unless it runs already; call when something has been left to it. It knows the same control plane by the same
 * token; where there are several tokens on a machine, there may be several of it. Never fails.
 */
export async function ensureFlusher(
  state: State,
  controlPlane: ControlPlane,
  environment: Environment,
  log: Log,
): Promise<void> {
  // One that is just about to end looks once more after it has given up its lock.
  if (await isFlusherAtWork(state.directory, flusherKey(controlPlane), state.processes)) return;
  spawnFlusher(controlPlane, environment, log);
}

/** The command line of it, and the only way that it may be started: several that are find out which is to stay. */
export function flusherCommand({ baseUrl, token }: ControlPlane): [string, ...string[]] {
  const named = token.kind === 'file' ? ['--token-file', token.path] : [];
  return [...ownProgram(), 'flush', '--for', FLUSHER_WINDOW, '--url', baseUrl, ...named];
}

function spawnFlusher(controlPlane: ControlPlane, environment: Environment, log: Log): void {
  const [program, ...args] = flusherCommand(controlPlane);
  const failed = (error: unknown) => log.warn(`what is left can't be sent in the background: ${describeError(error)}`);
  try {
    const child = spawnDetached(program, args, {
      env: environmentForOurselves(environment),
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    child.on('error', failed);
    child.unref();
    log.info('started `leash flush` in the background');
  } catch (error) {
    // Too many open files, the arguments are too long.
    failed(error);
  }
}

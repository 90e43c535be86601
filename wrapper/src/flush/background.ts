/** The flusher: one process in the background that sends what runs on this machine could not. */
import type { Environment } from '../config/config-file.ts';
import type { ControlPlane } from '../config/control-plane.ts';
import { ownProgram } from '../host/own-program.ts';
import { spawnDetached } from '../host/spawn-detached.ts';
import { environmentForOurselves } from '../launch/command-environment.ts';
import { describeError, type Log } from '../logging/log.ts';
import { isToBeSent, iterateRuns } from '../state/run-listing.ts';
import type { State } from '../state/state-directory.ts';
import { flusherKey, isFlusherRunning } from './flusher-lock.ts';

/** How long it tries to send a run; after that the next run starts it again. */
const FLUSHER_WINDOW = '1d';

/**
 * Starts a flusher if other runs have left something to send. Never fails.
 *
 * @param signal ends the search for such runs
 */
export async function startFlusherIfNeeded(
  state: State,
  controlPlane: ControlPlane,
  environment: Environment,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  // Checked first: where much is left, a flusher is usually running, and reading all of it takes seconds.
  if (await isFlusherRunning(state.directory, flusherKey(controlPlane), state.processes)) return;
  for await (const each of iterateRuns(state.directory, state.processes)) {
    if (signal.aborted) return;
    if (isToBeSent(each, controlPlane, state.processes)) return ensureFlusher(state, controlPlane, environment, log);
  }
}

/**
 * Starts a flusher unless one is running for this control plane and token; call it when something has been left to send.
 * Never fails.
 */
export async function ensureFlusher(
  state: State,
  controlPlane: ControlPlane,
  environment: Environment,
  log: Log,
): Promise<void> {
  // One that is just about to end looks once more after it has released its lock.
  if (await isFlusherRunning(state.directory, flusherKey(controlPlane), state.processes)) return;
  spawnFlusher(controlPlane, environment, log);
}

/** Every flusher must be started by this command line: of several, only one continues. */
export function flusherCommand({ baseUrl, token }: ControlPlane): [string, ...string[]] {
  const named = token.kind === 'file' ? ['--token-file', token.path] : [];
  return [...ownProgram(), 'flush', '--for', FLUSHER_WINDOW, '--url', baseUrl, ...named];
}

function spawnFlusher(controlPlane: ControlPlane, environment: Environment, log: Log): void {
  const [program, ...args] = flusherCommand(controlPlane);
  const failed = (error: unknown) =>
    log.warn(`could not start the background flusher for unsent runs: ${describeError(error)}`);
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

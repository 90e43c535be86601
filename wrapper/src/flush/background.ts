/** The one process in the background that sends what runs on this machine could not. */
import { spawn } from 'node:child_process';
import type { Environment } from '../cli/config-file.ts';
import type { ControlPlane } from '../cli/control-plane.ts';
import { describeError, type Log } from '../log.ts';
import { ownProgram } from '../run/own-program.ts';
import type { State } from '../run/state.ts';
import { acquireFlusherLock } from '../spool/flusher-lock.ts';
import { listRunDirectories } from '../spool/run-listing.ts';
import { flusherKey, isToBeSent } from './leftover.ts';

/** How long it keeps trying; after that the next run starts it again. */
export const KEEPS_TRYING = '1d';

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
  const lock = await acquireFlusherLock(state.directory, flusherKey(controlPlane), state.processes);
  if (lock === null) return;
  const left = await listRunDirectories(state.directory, state.processes);
  await lock.release();
  if (left.some((each) => isToBeSent(each, controlPlane))) start(controlPlane, environment, log);
}

function start({ baseUrl, token }: ControlPlane, environment: Environment, log: Log): void {
  const [program, ...ourselves] = ownProgram();
  const named = token.kind === 'file' ? ['--token-file', token.path] : [];
  const child = spawn(program, [...ourselves, 'flush', '--for', KEEPS_TRYING, '--url', baseUrl, ...named], {
    cwd: '/',
    detached: true,
    env: { ...environment },
    stdio: 'ignore',
  });
  child.on('error', (error) => log.tell(`what is left can't be sent in the background: ${describeError(error)}`));
  child.unref();
  log.note('started `leash flush` in the background');
}

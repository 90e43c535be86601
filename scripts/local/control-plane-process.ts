/**
 * The control plane as a process of its own: started by control-plane-child.ts, told what to do over IPC (a token in an
 * argument or the environment would be readable by others), ended with the process that started it.
 */
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import type { ControlPlaneAnswer, ControlPlaneRequest } from './control-plane-messages.ts';
import { StartError } from './start-error.ts';

let controlPlane: ControlPlane | null = null;

process.on('message', (request: ControlPlaneRequest) => void answer(request));
// Whoever started it is gone, however that came about: nobody is left to stop it.
process.on('disconnect', () => void stop());
// Ctrl-C reaches a whole terminal; the process that started this one decides when to stop.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void stop());

async function answer(request: ControlPlaneRequest): Promise<void> {
  try {
    send({ type: 'done', id: request.id, value: await perform(request) });
    if (request.type === 'stop') process.exit(0);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    send({ type: 'failed', id: request.id, message, actionable: error instanceof StartError });
  }
}

async function perform(request: ControlPlaneRequest): Promise<unknown> {
  if (request.type === 'start') {
    controlPlane = await startControlPlane(request.options);
    return controlPlane.url;
  }
  if (controlPlane === null) throw new Error('the control plane is not running');
  switch (request.type) {
    case 'sweep':
      return controlPlane.sweep();
    case 'query':
      return controlPlane.query(request.sql, request.bindings);
    case 'stop':
      return controlPlane.stop();
  }
}

async function stop(): Promise<void> {
  await controlPlane?.stop();
  process.exit(0);
}

function send(message: ControlPlaneAnswer): void {
  if (process.connected) process.send?.(message);
}

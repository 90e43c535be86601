/**
 * Holding a call until a command is over.
 *
 * The call waits on a WebSocket to the job's object, which sends the command when it is over. The object so may sleep
 * meanwhile: a pending call or a timer of its own would keep it in memory, and on the bill, for as long as anyone waits.
 */
import type { Command } from '#protocol/api';
import { readWatchMessage } from '#protocol/watch-link';
import type { Env } from '../env.ts';
import { callJob } from './job-client.ts';

/** After a deploy every waiting call comes back: not all in one moment. */
const MAX_PAUSE_MS = 1_000;

/**
 * The command as its job's object knows it, at once or as soon as it is settled or expired, but after `waitMs` in any
 * case. Null when the object doesn't know it yet, because it is still in the queue.
 *
 * @throws when the object can't be reached
 */
export async function waitForCommand(env: Env, job: string, id: string, waitMs: number): Promise<Command | null> {
  const timeUp = AbortSignal.timeout(waitMs);
  while (waitMs > 0 && !timeUp.aborted) {
    const ended = await endOfCommand(await openWait(env, job, id), timeUp);
    if (ended !== null) return ended;
    if (!timeUp.aborted) await scheduler.wait(Math.random() * MAX_PAUSE_MS);
  }
  return callJob(env, job, (object) => object.command(id));
}

async function openWait(env: Env, job: string, id: string): Promise<WebSocket> {
  const query = new URLSearchParams({ command: id });
  const upgrade = { headers: { Upgrade: 'websocket' } };
  const { webSocket } = await callJob(env, job, (object) => object.fetch(`https://object/wait?${query}`, upgrade));
  if (webSocket === null) throw new Error(`the object of ${job} did not take the wait for ${id}`);
  return webSocket;
}

/** The command that the object sends at its end; null when the time is up, or the object went away. */
async function endOfCommand(socket: WebSocket, timeUp: AbortSignal): Promise<Command | null> {
  const ended = new Promise<Command | null>((resolve) => {
    socket.addEventListener('message', ({ data }) => {
      const read = readWatchMessage(String(data));
      if (read.kind === 'message' && read.message.type === 'command') resolve(read.message.command);
    });
    socket.addEventListener('close', () => resolve(null));
    socket.addEventListener('error', () => resolve(null));
    timeUp.addEventListener('abort', () => resolve(null));
  });
  socket.accept();
  try {
    return await ended;
  } finally {
    socket.close(1000);
  }
}

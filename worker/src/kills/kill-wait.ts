/**
 * Holding a call until a kill is over.
 *
 * The call waits on a WebSocket to the job's object, which sends the kill when it is over. The object so may sleep
 * meanwhile: a pending call or a timer of its own would keep it in memory, and on the bill, for as long as anyone waits.
 */
import type { Kill } from '#protocol/api';
import { readWatchMessage } from '#protocol/watch-link';
import type { Env } from '../../shared/env.ts';
import { callJob } from '../../shared/rpc/job-object.ts';

/** After a deploy every waiting call comes back: not all in one moment. */
const MAX_PAUSE_MS = 1_000;

/**
 * The kill as its job's object knows it, at once or as soon as it is settled or expired, but after `waitMs` in any
 * case. Null when the object doesn't know it yet, because it is still in the queue.
 *
 * @throws when the object can't be reached
 */
export async function waitForKill(env: Env, job: string, id: string, waitMs: number): Promise<Kill | null> {
  const timeUp = AbortSignal.timeout(waitMs);
  while (waitMs > 0 && !timeUp.aborted) {
    const ended = await endOfKill(await openWait(env, job, id), timeUp);
    if (ended !== null) return ended;
    if (!timeUp.aborted) await scheduler.wait(Math.random() * MAX_PAUSE_MS);
  }
  return callJob(env, job, (object) => object.kill(id));
}

async function openWait(env: Env, job: string, id: string): Promise<WebSocket> {
  const query = new URLSearchParams({ kill: id });
  const upgrade = { headers: { Upgrade: 'websocket' } };
  const { webSocket } = await callJob(env, job, (object) => object.fetch(`https://object/wait?${query}`, upgrade));
  if (webSocket === null) throw new Error(`the object of ${job} did not take the wait for ${id}`);
  return webSocket;
}

/** The kill that the object sends at its end; null when the time is up, or the object went away. */
async function endOfKill(socket: WebSocket, timeUp: AbortSignal): Promise<Kill | null> {
  const ended = new Promise<Kill | null>((resolve) => {
    socket.addEventListener('message', ({ data }) => {
      const read = readWatchMessage(String(data));
      if (read.kind === 'message' && read.message.type === 'kill') resolve(read.message.kill);
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

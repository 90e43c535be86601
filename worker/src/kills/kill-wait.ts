/**
 * Waiting until a kill is settled or has expired.
 *
 * The call waits on a WebSocket to the job's object, which sends the kill at its end, and which may hibernate meanwhile: a
 * pending call or a timer would keep it in memory, and on the bill, as long as anyone waits.
 */
import type { Kill } from '#protocol/api';
import { readWatchMessage } from '#protocol/watch-link';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import type { KillCall } from './kill-call.ts';

/** A deploy makes all waiting calls reconnect: not all at the same moment. */
const MAX_PAUSE_MS = 1_000;

/** The kill as its job's object has it, or else as it was given: the object may not have it yet, or not be reachable. */
export async function currentKill(
  { env, requestId }: Pick<KillCall, 'env' | 'requestId'>,
  kill: Kill,
  waitSeconds: number,
): Promise<Kill> {
  try {
    return (await waitForKill(env, kill.job, kill.id, waitSeconds * 1000)) ?? kill;
  } catch (error) {
    log.error('kill_not_read', error, { request: requestId, job: kill.job, kill: kill.id });
    return kill;
  }
}

/**
 * The kill as its job's object has it: as soon as it is settled or expired, at the latest after `waitMs`. Null if it is
 * still in the queue.
 *
 * @throws when the object can't be reached
 */
async function waitForKill(env: Env, job: string, id: string, waitMs: number): Promise<Kill | null> {
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
  if (webSocket === null) throw new Error(`the object of ${job} refused the wait for ${id}`);
  return webSocket;
}

/** The kill that the object sends at its end; null when the time is up, or the object is evicted. */
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

/** Requests kills. A request whose response is lost is repeated with the same key: it is one kill. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { type Kill, Kill as KillSchema } from '#protocol/api';
import { backoffMs } from '#shared/backoff';
import type { ApiCall, ApiClient } from '../api-client.ts';
import { ApiError } from '../operator-error.ts';
import type { KillCall } from './selection.ts';

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;
const PAUSE_CAP_MS = 5_000;
/** Shorter than usual: the next attempt may take another way. */
export const TIMEOUT_MS = 10_000;

/**
 * @param onRetry called before another attempt, with why the last one had no response
 * @param onStored called with the kills of each call, as soon as they are stored
 * @throws {ApiError} when one is refused, or no response came to any attempt: then it may be stored all the same
 */
export async function requestKills(
  api: ApiClient,
  calls: readonly KillCall[],
  onRetry: (why: string) => void,
  onStored: (kills: readonly Kill[]) => void,
): Promise<void> {
  const key = randomBytes(16).toString('hex');
  for (const [index, call] of calls.entries()) onStored(await requestOne(api, call, `${key}-${index}`, onRetry));
}

function requestOne(
  api: ApiClient,
  call: KillCall,
  key: string,
  onRetry: (why: string) => void,
): Promise<readonly Kill[]> {
  return untilAnswered(() => post(api, call, key), onRetry);
}

/** Repeats a call that can be repeated, where it had no response. @throws {ApiError} */
export async function untilAnswered<Result>(
  request: () => Promise<Result>,
  onRetry: (why: string) => void,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request();
    } catch (error) {
      if (!isWithoutResponse(error) || attempt === ATTEMPTS) throw error;
      onRetry(error.message);
      await sleep(backoffMs(attempt - 1, FIRST_PAUSE_MS, PAUSE_CAP_MS));
    }
  }
}

/** Whether it may be stored or not. */
function isWithoutResponse(error: unknown): error is ApiError {
  return error instanceof ApiError && error.failure.kind === 'no_response' && error.failure.failure.kind !== 'settings';
}

async function post(api: ApiClient, call: KillCall, key: string): Promise<readonly Kill[]> {
  const common: Omit<ApiCall, 'path'> = {
    method: 'POST',
    body: call.body,
    headers: { 'Idempotency-Key': key },
    timeoutMs: TIMEOUT_MS,
  };
  if (call.kind === 'job') {
    const path = `/jobs/${encodeURIComponent(call.job)}/kill`;
    return [(await api.get(KillSchema, 'kill', { ...common, path })).value];
  }
  return (await api.get(v.array(KillSchema), 'kills', { ...common, path: '/kills' })).value;
}

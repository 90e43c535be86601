/**
 * `POST /kills` while D1 is away: the jobs' objects may take kills of runs that are named with their jobs. Which jobs match a
 * selector, and which job a bare run id belongs to, only the index knows.
 */
import { monotonicFactory, ulid } from 'ulid';
import type { Kill, KillManyRequest, RunOfJob } from '#protocol/api';
import { mapConcurrent } from '#shared/map-concurrent';
import type { NewKill } from '../../shared/d1/new-kills.ts';
import { newKill } from '../../shared/new-kill.ts';
import { type ApiError, databaseUnavailable, unavailable } from '../api-error.ts';
import { type KillCall, keyOf } from './kill-call.ts';
import { offer } from './offer.ts';

const CALLS_AT_ONCE = 50;
const CALL_LIMIT_MS = 5_000;

/** @throws ApiError `unavailable` unless the objects have taken all of them */
export async function killWithoutD1(call: KillCall, request: KillManyRequest): Promise<readonly Kill[]> {
  const { runs = [], ...options } = request;
  const named = runs.filter((entry): entry is RunOfJob => typeof entry !== 'string');
  if (named.length === 0 || named.length < runs.length) throw databaseUnavailable();
  const batch = { id: ulid(), newKillId: monotonicFactory() };
  const byJob = new Map<string, NewKill[]>();
  for (const { job, run } of named) {
    byJob.set(job, [...(byJob.get(job) ?? []), newKill(call, job, { run, ...options }, batch)]);
  }
  const key = keyOf(call, request);
  const offered = await mapConcurrent([...byJob], CALLS_AT_ONCE, ([job, kills]) =>
    offer(call, job, { kills, batch: batch.id, key }, CALL_LIMIT_MS),
  );
  const kills = offered.flatMap((result) =>
    result.kind === 'taken' || result.kind === 'repeated' ? result.kills : [],
  );
  if (kills.length === 0) throw databaseUnavailable();
  if (kills.length < named.length) throw onlySome(kills.length, named.length);
  const order = new Map(named.map(({ run }, index) => [run, index]));
  return kills.toSorted((one, other) => (order.get(one.run ?? '') ?? 0) - (order.get(other.run ?? '') ?? 0));
}

function onlySome(taken: number, all: number): ApiError {
  return unavailable(
    `The database is unavailable. ${taken} of ${all} kills are stored. Try again with the same Idempotency-Key: none is stored twice.`,
  );
}

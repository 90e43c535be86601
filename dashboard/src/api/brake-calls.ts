/** The calls that set and end brakes: apart, because they are made from dialogs only. */

import type * as v from 'valibot';
import { BrakeCreated, type NewBrake } from '#protocol/brakes';
import { pick } from './calls.ts';
import type { Result } from './failure.ts';
import { call, callFor } from './http.ts';

/** @param key the idempotency key: a retry with the same key returns the same brake */
export function createBrake(
  brake: v.InferInput<typeof NewBrake>,
  key: string,
): Promise<Result<v.InferOutput<typeof BrakeCreated>>> {
  const headers = { 'idempotency-key': key };
  return callFor(BrakeCreated, { method: 'POST', path: '/brakes', body: brake, headers });
}

export async function endBrake(id: string): Promise<Result<null>> {
  return pick(await call({ method: 'DELETE', path: `/brakes/${encodeURIComponent(id)}` }), () => null);
}

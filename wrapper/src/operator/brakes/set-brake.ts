/** Sets a brake, or begins maintenance. A request whose response is lost is repeated with the same key: it is one. */
import { randomBytes } from 'node:crypto';
import type * as v from 'valibot';
import { BrakeCreated } from '#protocol/brakes';
import { TIMEOUT_MS, untilAnswered } from '../kill/request-kill.ts';
import type { OperatorContext } from '../operator-context.ts';
import { ApiError, OperatorError } from '../operator-error.ts';
import { brakeLine } from './brake-text.ts';

/** What an operator orders. */
export interface BrakeOrder {
  /** Globs; none for all. */
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  readonly forMs: number;
  readonly reason: string | null;
  readonly kill: boolean;
}

interface SetBrake extends v.InferOutput<typeof BrakeCreated> {
  /** The brake as the control plane sent it. */
  readonly raw: unknown;
}

/** Sets it, and says so. @throws {OperatorError} */
export async function setBrake(order: BrakeOrder, asJson: boolean, context: OperatorContext): Promise<SetBrake> {
  const { api, output } = context;
  const { value, raw } = await create(order, context);
  output.progress(`${brakeLine(value.brake, api.now())}.`, asJson);
  output.progress(`End it earlier with: leash brakes --end ${value.brake.id}`, asJson);
  return { ...value, raw: (raw as { readonly brake: unknown }).brake };
}

async function create({ jobs, machines, forMs, reason, kill }: BrakeOrder, { api, output }: OperatorContext) {
  const headers = { 'Idempotency-Key': randomBytes(16).toString('hex') };
  const body = {
    ...(jobs.length > 0 && { jobs }),
    ...(machines.length > 0 && { machines }),
    reason,
    // By the control plane's clock. In whole seconds: it is read by people.
    until: new Date(Math.round((api.now() + forMs) / 1_000) * 1_000).toISOString(),
    kill,
  };
  try {
    return await untilAnswered(
      () => api.call(BrakeCreated, { method: 'POST', path: '/brakes', body, headers, timeoutMs: TIMEOUT_MS }),
      (why) => output.note(`${why} Trying again: it stays one.`),
    );
  } catch (error) {
    if (!(error instanceof ApiError) || error.failure.kind !== 'no_response') throw error;
    throw new OperatorError(
      `${error.message} Whether it is set is unknown: leash brakes lists it then.`,
      error.exitCode,
    );
  }
}

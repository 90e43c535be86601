/** Standing orders: a brake is a kill that stands, maintenance the same without the kill. */
import * as v from 'valibot';
import { Kill } from './api.ts';
import { BrakeId, Globs } from './names.ts';
import { Reason } from './reason.ts';
import { InputTime, Time } from './time.ts';

export const NewBrake = v.strictObject({
  jobs: v.optional(Globs, '*'),
  machines: v.optional(Globs, '*'),
  reason: v.optional(v.nullable(Reason), null),
  until: InputTime,
  /** Whether matching runs are killed; otherwise they run, quietly. */
  kill: v.boolean(),
});
export type NewBrake = v.InferOutput<typeof NewBrake>;

export const Brake = v.object({
  id: BrakeId,
  jobs: v.array(v.string()),
  machines: v.array(v.string()),
  reason: v.nullable(v.string()),
  until: Time,
  kill: v.boolean(),
  created_by: v.string(),
  created_at: Time,
});
export type Brake = v.InferOutput<typeof Brake>;

/** The answer to `POST /brakes`: also the kills that it has made. */
export const BrakeCreated = v.object({ brake: Brake, kills: v.array(Kill) });
export const BrakeList = v.object({ brakes: v.array(Brake), next_cursor: v.nullable(v.string()) });

/** What a job's object has to know of a brake that matches a run. */
export const StandingOrder = v.object({
  id: BrakeId,
  kill: v.boolean(),
  until_ms: v.number(),
  reason: v.nullable(v.string()),
  created_by: v.string(),
  /** The id of its creator's token. */
  created_by_id: v.string(),
});
export type StandingOrder = v.InferOutput<typeof StandingOrder>;

/** What a brake is for: `all jobs`, `sync-* on web-1, web-2`. */
export function scopeText({ jobs, machines }: Pick<Brake, 'jobs' | 'machines'>): string {
  const what = jobs.includes('*') ? 'all jobs' : jobs.join(', ');
  return machines.includes('*') ? what : `${what} on ${machines.join(', ')}`;
}

/** The reason of a brake's kills. */
export function brakeReason(reason: string | null): string {
  return reason === null ? 'brake' : `brake: ${reason}`;
}

/** What a run that asks is told when it is not to start: `brake by alice until 2026-01-31 12:00:00Z: bad data`. */
export function orderText({ kill, until_ms: until, reason, created_by: by }: StandingOrder): string {
  const what = kill ? 'brake' : 'maintenance';
  const end = new Date(until).toISOString().slice(0, 19).replace('T', ' ');
  return `${what} by ${by} until ${end}Z${reason === null ? '' : `: ${reason}`}`;
}

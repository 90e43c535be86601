/** Standing orders: a brake is a kill that stands, maintenance the same without the kill. */
import * as v from 'valibot';
import { Kill } from './api.ts';
import { showInvisible } from './invisible-characters.ts';
import { Glob } from './names.ts';

/** The longest that one may stand: thirty days. */
export const MAX_BRAKE_MS = 30 * 24 * 60 * 60 * 1000;

/** How many may be active at a time: all are read whenever wrappers connect. */
export const MAX_BRAKES = 100;

/** How many globs of jobs or machines one may have. */
export const MAX_BRAKE_GLOBS = 20;

const Globs = v.pipe(
  v.union(
    [Glob, v.pipe(v.array(Glob), v.minLength(1), v.maxLength(MAX_BRAKE_GLOBS))],
    `must be a glob, or up to ${MAX_BRAKE_GLOBS} globs`,
  ),
  v.transform((globs) => (typeof globs === 'string' ? [globs] : globs)),
);

export const BrakeId = v.pipe(v.string(), v.regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, 'must be a ULID'));

export const NewBrake = v.strictObject({
  jobs: v.optional(Globs, '*'),
  machines: v.optional(Globs, '*'),
  /** Shown in one line with other text. */
  reason: v.optional(
    v.nullable(
      v.pipe(
        v.string(),
        v.maxLength(500),
        v.transform((text) => showInvisible(text.replaceAll(/[\t\n\r]+/g, ' '))),
      ),
    ),
    null,
  ),
  /** RFC 3339. */
  until: v.pipe(v.string(), v.isoTimestamp('must be an RFC 3339 time')),
  /** Whether matching runs are killed; otherwise they run, quietly. */
  kill: v.boolean(),
});
export type NewBrake = v.InferOutput<typeof NewBrake>;

export const Brake = v.object({
  id: BrakeId,
  jobs: v.array(v.string()),
  machines: v.array(v.string()),
  reason: v.nullable(v.string()),
  until: v.string(),
  kill: v.boolean(),
  created_by: v.string(),
  created_at: v.string(),
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

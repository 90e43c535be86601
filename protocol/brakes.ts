/** Standing orders: a brake is a kill that stands, maintenance the same without the kill. */
import * as v from 'valibot';
import { showInvisible } from './invisible-characters.ts';
import { Glob } from './names.ts';

/** The longest that one may stand: thirty days. */
export const MAX_BRAKE_MS = 30 * 24 * 60 * 60 * 1000;

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

export const BrakeList = v.object({ brakes: v.array(Brake), next_cursor: v.nullable(v.string()) });

/** What a job's object has to know of a brake that matches a run. */
export const StandingOrder = v.object({
  id: BrakeId,
  kill: v.boolean(),
  until_ms: v.number(),
  reason: v.nullable(v.string()),
  created_by: v.string(),
});
export type StandingOrder = v.InferOutput<typeof StandingOrder>;

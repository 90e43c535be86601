/** Arguments that several tools take. */
import * as v from 'valibot';
import { MAX_WAIT_SECONDS } from '#protocol/limits';

/** Of tools that list: the rest of a list, and how much of it. */
export const PAGE = {
  cursor: v.optional(v.pipe(v.string(), v.description('The cursor from the end of the previous page.'))),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(200)), 50),
};

/** @param description for what it waits */
export function waitSeconds(description: string) {
  return v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_WAIT_SECONDS), v.description(description)),
    20,
  );
}

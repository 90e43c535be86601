/** Parameters that several calls take in their query. */
import * as v from 'valibot';
import { MAX_WAIT_SECONDS } from '#protocol/limits';

/** A whole number, written in decimal digits. */
export function wholeNumber(bounds: { min: number; max: number }) {
  const { min, max } = bounds;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  const message = ({ input }: { input: unknown }) => `a whole number ${range}, not ${JSON.stringify(input)}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, message),
    v.transform(Number),
    v.number(),
    v.integer(),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
}

export const bytes = wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** How many rows a list gives at most. */
export const limit = v.optional(
  v.pipe(wholeNumber({ min: 1, max: 500 }), v.description('At most so many; the rest by `next_cursor`.')),
  '100',
);

/** How many seconds the answer may be held. */
export const wait = v.optional(
  v.pipe(
    wholeNumber({ min: 0, max: MAX_WAIT_SECONDS }),
    v.description('Hold the answer until the kill is settled or has expired, but at most so many seconds.'),
  ),
  '0',
);

/** Where a list goes on: the `next_cursor` of the page before. */
export function cursor<Value extends v.GenericSchema<string, unknown>>(value: Value) {
  return v.optional(v.pipe(value, v.description('The `next_cursor` of the page before.')));
}

/** One or more of these values, separated by commas. */
export function listOf<const Values extends readonly [string, ...string[]]>(
  schema: v.PicklistSchema<Values, undefined>,
) {
  return v.pipe(
    v.string(),
    v.transform((text) => text.split(',')),
    v.array(schema),
  );
}

/** Query parameters that several operations have. */
import * as v from 'valibot';
import { MAX_WAIT_SECONDS } from '#protocol/limits';

export function wholeNumber(bounds: { min: number; max: number }) {
  const { min, max } = bounds;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  const message = `must be a whole number ${range}`;
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

export const limit = v.optional(
  v.pipe(wholeNumber({ min: 1, max: 500 }), v.description('The maximum number of entries on a page.')),
  '100',
);

export const wait = v.optional(
  v.pipe(
    wholeNumber({ min: 0, max: MAX_WAIT_SECONDS }),
    v.description('Wait up to this many seconds until the kill is settled or has expired.'),
  ),
  '0',
);

export function cursor<Value extends v.GenericSchema<string, unknown>>(value: Value) {
  return v.optional(v.pipe(value, v.description('The `next_cursor` of the previous page.')));
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

/** Times in the API: RFC 3339, in answers always in UTC. */
import * as v from 'valibot';

// isoTimestamp allows forms that Date.parse doesn't, such as the offset `+05`.
export const Time = v.pipe(
  v.string(),
  v.isoTimestamp('must be an RFC 3339 time'),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'must be an RFC 3339 time'),
);

/** A time in a request. Date.parse would make the 30th of February a day in March. */
export const InputTime = v.pipe(
  Time,
  v.check((text) => {
    const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
    return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
  }, 'must be a valid date'),
);

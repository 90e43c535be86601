/**
 * How dates and times are written on every view. The dashboard is in English, so they are too, whatever the browser's
 * language: a language may bring other digits, another calendar and another direction of writing, and a row of the two
 * mixed can't be read. The time zone is the reader's.
 */
const LOCALE = 'en-GB';

/** Hours go from 00 to 23. */
export function timeFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(LOCALE, {
    ...options,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
  });
}

/** The time of day to the second. */
export const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;

const EXACT = timeFormat({ dateStyle: 'full', timeStyle: 'long' });

/** A time with its day, year and zone. */
export function exactTimeText(at: Date): string {
  return EXACT.format(at);
}

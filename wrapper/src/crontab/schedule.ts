/** When an entry runs: five fields or `@daily` and the like. Leash never changes it; it is read to know what is an entry. */

/** FreeBSD's `@every_minute` is not among them: Linux doesn't know it. */
const MACROS = ['@reboot', '@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

interface Field {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

const FIELDS: readonly Field[] = [
  { name: 'minute', low: 0, high: 59, names: [] },
  { name: 'hour', low: 0, high: 23, names: [] },
  { name: 'day of month', low: 1, high: 31, names: [] },
  { name: 'month', low: 1, high: 12, names: MONTHS },
  { name: 'day of week', low: 0, high: 7, names: DAYS },
];

export type Schedule =
  /** What follows it on the line begins at `length`. */
  { readonly kind: 'schedule'; readonly length: number } | { readonly kind: 'invalid'; readonly why: string };

/** Reads the schedule at the beginning of `line`, with the blanks before and after it. */
export function readSchedule(line: string): Schedule {
  // A dash means: don't log it (cronie, SUSE).
  const [before = ''] = /^[ \t]*-?/.exec(line) ?? [];
  const rest = line.slice(before.length);
  return rest.startsWith('@') ? readMacro(rest, before.length) : readFields(rest, before.length);
}

function readMacro(rest: string, from: number): Schedule {
  const [whole = '', macro = ''] = /^([^ \t]+)[ \t]*/.exec(rest) ?? [];
  if (!MACROS.includes(macro)) return { kind: 'invalid', why: `${macro} is not a schedule that cron knows` };
  return { kind: 'schedule', length: from + whole.length };
}

function readFields(rest: string, from: number): Schedule {
  const match = /^([^ \t]+)[ \t]+([^ \t]+)[ \t]+([^ \t]+)[ \t]+([^ \t]+)[ \t]+([^ \t]+)[ \t]*/.exec(rest);
  if (match === null)
    return { kind: 'invalid', why: 'neither a comment, nor a variable, nor five time fields and a command' };
  for (const [index, field] of FIELDS.entries()) {
    const text = match[index + 1] ?? '';
    if (!text.split(',').every((element) => isElement(element, field))) {
      return { kind: 'invalid', why: `“${text}” is not a valid ${field.name}` };
    }
  }
  return { kind: 'schedule', length: from + match[0].length };
}

/** `*`, `5`, `mon`, `1-5`, each with a step (`/2`), or cronie's random `0~30`. */
function isElement(element: string, { low, high, names }: Field): boolean {
  const [range = '', step, ...others] = element.split('/');
  if (others.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === '*') return true;
  const ends = range.split(/[-~]/);
  if (ends.length > 2) return false;
  // An end of a random range may be left out.
  return ends.every((end) => (end === '' && range.includes('~')) || isValue(end));

  function isValue(text: string): boolean {
    if (/^\d{1,2}$/.test(text)) return Number(text) >= low && Number(text) <= high;
    return names.includes(text.toLowerCase());
  }
}

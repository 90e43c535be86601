/** What a line of a crontab is. */
import { readSchedule } from './schedule.ts';
import { readVariable, type Variable } from './variable.ts';

/** With a user field: /etc/crontab and the files in /etc/cron.d. */
export type CrontabFormat = 'user' | 'system';

export interface Entry {
  readonly kind: 'entry';
  /** Schedule, user and blanks: all that precedes the command. */
  readonly before: string;
  /** Null in a user's crontab. */
  readonly user: string | null;
  /** The rest of the line, with what follows a `%`. */
  readonly command: string;
}

export type ParsedLine =
  | Entry
  | { readonly kind: 'blank' }
  | { readonly kind: 'comment'; readonly text: string }
  | ({ readonly kind: 'variable' } & Variable)
  | { readonly kind: 'unknown'; readonly why: string };

export function parseLine(line: string, format: CrontabFormat): ParsedLine {
  const text = line.replace(/^[ \t]+/, '');
  if (text === '') return { kind: 'blank' };
  if (text.startsWith('#')) return { kind: 'comment', text };
  const variable = readVariable(line);
  if (variable !== null) return { kind: 'variable', ...variable };
  const schedule = readSchedule(line);
  if (schedule.kind === 'invalid') return { kind: 'unknown', why: schedule.why };
  return format === 'user' ? entry(line, schedule.length, null) : systemEntry(line, schedule.length);
}

function systemEntry(line: string, from: number): ParsedLine {
  const [whole, user = ''] = /^([^ \t]*)[ \t]*/.exec(line.slice(from)) ?? [''];
  // FreeBSD: user:group/class.
  if (user.startsWith('/') || !/^[\w.$:/-]+$/.test(user)) {
    return { kind: 'unknown', why: 'no user between the schedule and the command, as system crontabs need' };
  }
  return entry(line, from + whole.length, user);
}

function entry(line: string, from: number, user: string | null): ParsedLine {
  const command = line.slice(from);
  const why = whyNoCommand(command);
  return why === null ? { kind: 'entry', before: line.slice(0, from), user, command } : { kind: 'unknown', why };
}

function whyNoCommand(command: string): string | null {
  if (command.trim() === '') return 'it has no command';
  if (command.startsWith('#') || command.startsWith('%')) return 'its command is empty';
  if (/^(\*|[*\d][\d*,/-]*[ \t])/.test(command)) return 'it seems to have six time fields; cron has five';
  if (command.startsWith('-')) return 'its command starts with a dash, which some crons read as options';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(command)) return 'its command contains control characters';
  return null;
}

/** What `leash crontab` prints about a crontab: the difference, and in plain words what becomes of its lines. */
import { printable } from '../logging/log.ts';
import type { CrontabPlan, Outcome, PlannedLine } from './plan.ts';
import { type DiffLine, unifiedDiff } from './unified-diff.ts';

export type Direction = 'convert' | 'undo';

const COLORS: Readonly<Record<DiffLine['kind'], string>> = {
  header: '1',
  hunk: '36',
  context: '',
  removed: '31',
  added: '32',
  no_newline: '2',
};

/** @param isTerminal coloured, and without control characters; else as `patch` reads it, byte for byte */
export function diffText(plan: CrontabPlan, source: string, isTerminal: boolean, hasColors: boolean): string {
  return unifiedDiff(plan.lines, source, `${source} (new)`)
    .map((line) => `${isTerminal ? forTerminal(line, hasColors) : line.text}\n`)
    .join('');
}

function forTerminal({ kind, text }: DiffLine, hasColors: boolean): string {
  // Text is held one character a byte.
  const shown = Buffer.from(printable(Buffer.from(text, 'latin1').toString())).toString('latin1');
  const color = COLORS[kind];
  return hasColors && color !== '' ? `\u001b[${color}m${shown}\u001b[0m` : shown;
}

/** Lines for a person. */
export function summaryOf(plan: CrontabPlan, source: string, direction: Direction): readonly string[] {
  const { lines } = plan;
  const changed = lines.flatMap((line) =>
    line.outcome.kind === 'changed' ? [{ ...line, outcome: line.outcome }] : [],
  );
  const onLeash = lines.filter(({ outcome }) => outcome.kind === 'on_leash');
  const left = lines.flatMap(({ number, outcome }) => (outcome.kind === 'left' ? [{ number, why: outcome.why }] : []));
  const verb = direction === 'convert' ? 'to put on the leash' : 'to take off the leash';
  const counts = [
    `${countOf(changed.length, 'line')} ${verb}`,
    ...(onLeash.length > 0 ? [`${onLeash.length} on it already`] : []),
    ...(left.length > 0 ? [`${left.length} left alone`] : []),
  ];
  const hidden = changed.filter(({ outcome }) => outcome.hiddenOutput !== null).map(({ number }) => number);
  return [
    `${source}: ${counts.join(', ')}`,
    ...left.map(({ number, why }) => `  line ${number} is left alone: ${why}`),
    ...(hidden.length > 0
      ? [`  ${linesText(hidden)}: output goes to a file or /dev/null, so Leash doesn't show it`]
      : []),
    ...fileRemarks(plan),
  ];
}

/** What is wrong with the file as it is. */
function fileRemarks({ lines }: CrontabPlan): string[] {
  const entries = lines.filter(({ outcome }) => outcome.kind !== 'unchanged');
  const withReturn = entries.filter(({ before }) => before.ending.startsWith('\r'));
  return [
    ...(withReturn.length > 0
      ? [`  lines end in CR LF: cron passes the CR to the command, with Leash or without`]
      : []),
    ...(lines.at(-1)?.before.ending === ''
      ? ['  the last line has no newline: cron ignores it, or the whole file']
      : []),
  ];
}

/** Users of changed lines, with the numbers of their lines. */
export function usersOf(lines: readonly PlannedLine[], isChanged = ({ kind }: Outcome) => kind === 'changed') {
  const users = new Map<string, number[]>();
  for (const { user, number, outcome } of lines) {
    if (user !== null && isChanged(outcome)) users.set(user, [...(users.get(user) ?? []), number]);
  }
  return users;
}

/** `line 5`, `lines 5, 9 and 12`. */
export function linesText(numbers: readonly number[]): string {
  const last = numbers.at(-1) ?? 0;
  return numbers.length === 1 ? `line ${last}` : `lines ${numbers.slice(0, -1).join(', ')} and ${last}`;
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/**
 * How `leash run` is put into a command of a crontab, and taken out again.
 *
 * The command's own bytes are kept in one piece where the shell allows it; else they become one quoted word:
 *
 *     0 3 * * *  /usr/local/bin/leash run --cron --job backup -- /usr/bin/backup --all
 *     0 4 * * *  /usr/local/bin/leash run --cron --job report --shell -- 'report | mail ops'
 *
 * Only `'` is rewritten, to `'\''`, which no cron's `%` handling and no sh takes for anything else.
 *
 * `--cron` marks what was put there by us: a line written by hand has never been another.
 */
import { commandLine } from '../format/command-line.ts';
import { splitAtPercent } from './percent.ts';
import { readShellLine, type SimpleCommand } from './shell-words.ts';

export interface LeashPrefix {
  /** The path of the program; without a `%`. */
  readonly program: string;
  readonly job: string;
  /** Words such as `--timeout` and `2h`. */
  readonly options: readonly string[];
}

/** Where it goes: in front of one simple command at `at`, or around the whole line. */
export type Placement = { readonly kind: 'before'; readonly at: number } | { readonly kind: 'shell' };

/** @param command the rest of a crontab's line, with what follows a `%` */
export function putOnLeash(command: string, placement: Placement, { program, job, options }: LeashPrefix): string {
  const words = [program, 'run', '--cron', '--job', job, ...options];
  switch (placement.kind) {
    case 'before': {
      const prefix = commandLine([...words, '--']);
      return `${command.slice(0, placement.at)}${prefix} ${command.slice(placement.at)}`;
    }
    case 'shell': {
      const prefix = commandLine([...words, '--shell', '--']);
      const { command: line, input } = splitAtPercent(command);
      return `${prefix} '${line.replaceAll("'", QUOTED_QUOTE)}'${input}`;
    }
  }
}

const QUOTED_QUOTE = "'\\''";

/** The programs named leash that a text calls with `run`, as they are written, whatever the quotes around them mean. */
export function leashPrograms(text: string): readonly string[] {
  const words = text.split(/[\s=;&|("']+/);
  return words.filter((word, index) => words[index + 1] === 'run' && isLeash(word));
}

/** What a command has to do with Leash. */
export type LeashUse =
  | { readonly kind: 'none' }
  /** Put there by us: without it, the command is `original`. */
  | { readonly kind: 'ours'; readonly job: string | null; readonly original: string }
  /** Written by hand. */
  | { readonly kind: 'by_hand'; readonly job: string | null }
  /** Put there by us, and edited: it isn't known any more what it was. */
  | { readonly kind: 'edited'; readonly job: string | null };

export function leashUse(command: string): LeashUse {
  const { command: line, input } = splitAtPercent(command);
  if (!/(^|[\s'"/;&|(])leash\S*['"]?\s+run(\s|$)/.test(line)) return { kind: 'none' };
  const read = readShellLine(line, true);
  const found = read.kind === 'read' ? read.commands.map(headOf).find((each) => each !== null) : undefined;
  if (found === undefined || found === null) return { kind: 'by_hand', job: null };
  const { job } = found;
  if (!found.isMarked) return { kind: 'by_hand', job };
  const original = originalOf(line, found);
  return original === null ? { kind: 'edited', job } : { kind: 'ours', job, original: original + input };
}

/** `leash run … --` at the beginning of a simple command. */
interface Head {
  readonly isMarked: boolean;
  readonly isShell: boolean;
  readonly job: string | null;
  readonly start: number;
  /** Where `--` ends. */
  readonly end: number;
}

function headOf({ words }: SimpleCommand): Head | null {
  const separator = words.findIndex(({ value, isLiteral }) => isLiteral && value === '--');
  const head = words.slice(0, separator === -1 ? undefined : separator + 1);
  const [program, run, ...options] = head;
  const last = head.at(-1);
  if (program === undefined || last === undefined || run?.value !== 'run' || !isLeash(program.value)) return null;
  const flags = options.map(({ value }) => value);
  return {
    isMarked: separator !== -1 && flags.includes('--cron'),
    isShell: flags.includes('--shell'),
    job: jobIn(flags),
    start: program.start,
    end: last.end,
  };
}

function isLeash(word: string): boolean {
  return /(^|\/)leash[^/]*$/.test(word);
}

function jobIn(flags: readonly string[]): string | null {
  const at = flags.indexOf('--job');
  if (at !== -1) return flags[at + 1] ?? null;
  return flags.find((flag) => flag.startsWith('--job='))?.slice('--job='.length) ?? null;
}

function originalOf(line: string, { isShell, start, end }: Head): string | null {
  if (line[end] !== ' ') return null;
  const rest = line.slice(end + 1);
  if (!isShell) return /^[^ \t]/.test(rest) ? line.slice(0, start) + rest : null;
  const pieces = start === 0 && /^'.*'$/s.test(rest) && rest.length > 1 ? rest.slice(1, -1).split(QUOTED_QUOTE) : null;
  return pieces === null || pieces.some((piece) => piece.includes("'")) ? null : pieces.join("'");
}

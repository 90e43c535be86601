/** Plans what becomes of a crontab's lines: which are put on the leash, or taken off it. */

import { DEFAULT_SHELL } from './cron-shell.ts';
import { type CrontabFormat, type Entry, type ParsedLine, parseLine } from './crontab-entry.ts';
import { joinLines, splitLines, type TextLine } from './crontab-lines.ts';
import { namePartsOf, slug } from './job-name.ts';
import { type LeashUse, leashUse, putOnLeash } from './leash-line.ts';
import { type Manager, ManagerTracker } from './managed.ts';
import { type NamedCommand, nameJobs } from './name-jobs.ts';
import { splitAtPercent } from './percent.ts';
import { type PlacementResult, placeLeash } from './placement.ts';

export interface PlanOptions {
  readonly program: string;
  /** For each line, such as `--timeout 2h`. */
  readonly runOptions: readonly string[];
  readonly captureLogs: boolean;
  /** Also lines that another program manages. */
  readonly includeManaged: boolean;
  readonly isSelected: (job: string) => boolean;
  /** Chosen by line number. */
  readonly names: ReadonlyMap<number, string>;
}

export type Outcome =
  /** Not an entry, or not selected. */
  | { readonly kind: 'unchanged' }
  /** `hiddenOutput`: the file to which its output goes, so that Leash doesn't show it. */
  | { readonly kind: 'changed'; readonly job: string | null; readonly hiddenOutput: string | null }
  | { readonly kind: 'on_leash'; readonly job: string | null }
  | { readonly kind: 'left'; readonly why: string };

export interface PlannedLine {
  readonly number: number;
  readonly before: TextLine;
  readonly after: TextLine;
  readonly user: string | null;
  readonly outcome: Outcome;
}

export interface CrontabPlan {
  readonly lines: readonly PlannedLine[];
  readonly before: string;
  readonly after: string;
}

/** Debian's cron reads at most this many bytes of a command, and drops the rest without a word. */
const MAX_COMMAND_BYTES = 998;

/**
 * Names in use, with what runs under them: shared by the crontabs of a machine, so that each job has one name.
 */
export type TakenNames = Map<string, string>;

/** Plans to put all lines on the leash that are not on it. */
export function planConversion(
  text: string,
  format: CrontabFormat,
  options: PlanOptions,
  taken: TakenNames,
): CrontabPlan {
  const lines = readLines(text, format);
  const names = chooseNames(lines, options, taken);
  return planOf(text, lines, (line) => convert(line, names, options));
}

/** Plans to take all lines off the leash that were put there by a conversion. */
export function planUndo(text: string, format: CrontabFormat, isSelected: PlanOptions['isSelected']): CrontabPlan {
  return planOf(text, withoutUnknown(readLines(text, format)), (line) => undo(line, isSelected));
}

interface ReadLine {
  readonly number: number;
  readonly line: TextLine;
  readonly parsed: ParsedLine;
  /** SHELL at this line. */
  readonly shell: string;
  readonly manager: Manager | null;
  readonly use: LeashUse;
}

interface EntryLine extends ReadLine {
  readonly parsed: Entry;
}

function readLines(text: string, format: CrontabFormat): readonly ReadLine[] {
  const managers = new ManagerTracker();
  let shell = DEFAULT_SHELL;
  return splitLines(text).map((line, index) => {
    const parsed = parseLine(line.text, format);
    if (parsed.kind === 'variable' && parsed.name === 'SHELL') shell = parsed.value;
    if (parsed.kind === 'comment') managers.comment(parsed.text);
    const manager = parsed.kind === 'entry' || parsed.kind === 'unknown' ? managers.entry() : null;
    const use: LeashUse = parsed.kind === 'entry' ? leashUse(parsed.command) : { kind: 'none' };
    return { number: index + 1, line, parsed, shell, manager, use };
  });
}

/** Those that are no entries, as far as can be seen, have nothing to undo. */
function withoutUnknown(lines: readonly ReadLine[]): readonly ReadLine[] {
  return lines.map((line) => (line.parsed.kind === 'unknown' ? { ...line, parsed: { kind: 'blank' } } : line));
}

type Planned = { readonly command: string | null; readonly outcome: Outcome };

function planOf(text: string, lines: readonly ReadLine[], plan: (line: EntryLine) => Planned): CrontabPlan {
  const planned = lines.map((each): PlannedLine => {
    const { number, line, parsed } = each;
    const unchanged = { number, before: line, after: line, user: null };
    if (parsed.kind === 'unknown') return { ...unchanged, outcome: { kind: 'left', why: parsed.why } };
    if (parsed.kind !== 'entry') return { ...unchanged, outcome: { kind: 'unchanged' } };
    const { command, outcome } = plan({ ...each, parsed });
    const after = command === null ? line : { ...line, text: parsed.before + command };
    return { number, before: line, after, user: parsed.user, outcome };
  });
  return { lines: planned, before: text, after: joinLines(planned.map(({ after }) => after)) };
}

function unplanned(outcome: Outcome): Planned {
  return { command: null, outcome };
}

function convert(line: EntryLine, names: ReadonlyMap<number, string>, options: PlanOptions): Planned {
  const { parsed, use, number } = line;
  if (use.kind !== 'none') return unplanned({ kind: 'on_leash', job: use.job });
  const job = names.get(number) ?? '';
  if (!options.names.has(number) && !options.isSelected(job)) return unplanned({ kind: 'unchanged' });
  const result = place(line, options);
  if (result.kind === 'left') return unplanned(result);
  const runOptions = [...options.runOptions, ...(result.isMerged ? ['--merge'] : [])];
  const command = putOnLeash(parsed.command, result.placement, { program: options.program, job, options: runOptions });
  if (command.length > MAX_COMMAND_BYTES) {
    const why = `its command would have ${command.length} bytes, and Debian's cron drops all beyond ${MAX_COMMAND_BYTES}`;
    return unplanned({ kind: 'left', why });
  }
  return { command, outcome: { kind: 'changed', job, hiddenOutput: result.hiddenOutput } };
}

function place({ parsed, manager, shell }: EntryLine, options: PlanOptions): PlacementResult {
  if (manager !== null && !options.includeManaged) return { kind: 'left', why: managedBy(manager) };
  return placeLeash(parsed.command, { shell, captureLogs: options.captureLogs });
}

function managedBy({ name, entry }: Manager): string {
  return `managed by ${name}${entry === null ? '' : ` (${entry})`}, which would write it again: change it there`;
}

function undo({ use }: EntryLine, isSelected: PlanOptions['isSelected']): Planned {
  if (use.kind !== 'none' && use.job !== null && !isSelected(use.job)) return unplanned({ kind: 'unchanged' });
  switch (use.kind) {
    case 'none':
      return unplanned({ kind: 'unchanged' });
    case 'ours':
      return { command: use.original, outcome: { kind: 'changed', job: use.job, hiddenOutput: null } };
    case 'by_hand':
      return unplanned({ kind: 'left', why: 'it was put on the leash by hand, not by leash crontab' });
    case 'edited':
      return unplanned({
        kind: 'left',
        why: `it was edited after leash crontab wrote it; what follows -- must be '…'`,
      });
  }
}

/** @returns names by line number, for entries that are not on the leash; for those that stay so, only what they run */
function chooseNames(lines: readonly ReadLine[], options: PlanOptions, taken: TakenNames): Map<number, string> {
  const entries = lines.flatMap((line) => (line.parsed.kind === 'entry' ? [{ ...line, parsed: line.parsed }] : []));
  for (const { number, parsed, use } of entries) {
    const name = use.kind === 'none' ? options.names.get(number) : use.job;
    if (name !== undefined && name !== null) taken.set(name, keyOf(parsed, use));
  }
  const free = entries.filter(({ use }) => use.kind === 'none');
  const placeable = free.filter((line) => place(line, options).kind === 'placed');
  const byKey = nameJobs(placeable.map(namedCommand), taken);
  for (const [key, name] of byKey) taken.set(name, key);
  return new Map(
    free.map((line) => {
      const { key, parts } = namedCommand(line);
      return [line.number, options.names.get(line.number) ?? byKey.get(key) ?? parts.base];
    }),
  );
}

function namedCommand({ parsed, use, manager }: EntryLine): NamedCommand {
  const named = manager?.entry == null ? null : slug(manager.entry);
  const parts = namePartsOf(splitAtPercent(parsed.command).command);
  const user = parsed.user === null ? null : slug(parsed.user);
  return { key: keyOf(parsed, use), parts: { ...parts, base: named ?? parts.base }, user };
}

/** Whoever runs the same command runs the same job. */
function keyOf({ user, command }: Entry, use: LeashUse): string {
  return `${user ?? ''} ${use.kind === 'ours' ? use.original : command}`;
}

/** What may stand where the cursor is in a command line that begins with `leash`. */
import { KILL_SIGNALS, KILL_STATES } from '#protocol/kill';
import { END_STATES, RUN_STATES } from '#protocol/run-state';
import type { RegisteredSubcommand } from '../registry.ts';
import { argumentsIn, flagsIn, type HelpFlag } from './help-flags.ts';
import { SHELLS } from './scripts.ts';

export interface Candidate {
  readonly text: string;
  readonly description: string;
}

export type Completion =
  | { readonly kind: 'words'; readonly words: readonly Candidate[] }
  /** The shell knows these better. */
  | { readonly kind: 'files' | 'directories' | 'commands' };

/** What the control plane has; empty when it can't be asked. */
export interface Names {
  jobs(): Promise<readonly Candidate[]>;
  machines(): Promise<readonly Candidate[]>;
  /** The ids of open runs. */
  runs(): Promise<readonly Candidate[]>;
}

export interface CompletionSources {
  readonly subcommands: readonly RegisteredSubcommand[];
  readonly names: Names;
}

/** @param words what follows `leash`, up to the word at the cursor, which may be empty */
export async function complete(words: readonly string[], sources: CompletionSources): Promise<Completion> {
  const { subcommands } = sources;
  const [name = '', ...rest] = words;
  if (rest.length === 0) return startingWith(name, subcommandNames(subcommands));
  if (name === 'help') return startingWith(rest.at(-1) ?? '', subcommandNames(subcommands));
  const subcommand = subcommands.find((each) => each.name === name);
  if (subcommand === undefined || subcommand.group === null) return noWords;
  const { help } = (await subcommand.load()).subcommand;
  return completeArgument(rest, name, help, sources.names);
}

const noWords: Completion = { kind: 'words', words: [] };

function subcommandNames(subcommands: readonly RegisteredSubcommand[]): Candidate[] {
  return subcommands
    .filter(({ group }) => group !== null)
    .map(({ name, summary }) => ({ text: name, description: summary }));
}

function startingWith(beginning: string, candidates: readonly Candidate[]): Completion {
  return { kind: 'words', words: candidates.filter(({ text }) => text.startsWith(beginning)) };
}

async function completeArgument(
  words: readonly string[],
  name: string,
  help: string,
  names: Names,
): Promise<Completion> {
  const end = words.indexOf('--');
  if (end >= 0 && end < words.length - 1) return { kind: end === words.length - 2 ? 'commands' : 'files' };
  const flags = flagsIn(help);
  const { current, flag, prefix } = atCursor(words, flags);
  if (flag !== null) return completeValue(flag, name, { current, prefix }, names);
  if (current.startsWith('-')) {
    const all = flags.map(({ name: text, description }) => ({ text, description }));
    return startingWith(current, current.startsWith('--') || current === '-' ? all.filter(isLong) : all);
  }
  return completePositional(argumentsIn(help, name), current, names);
}

function isLong({ text }: Candidate): boolean {
  return text.startsWith('--');
}

interface Cursor {
  /** The word, or the value in it, that is being written. */
  readonly current: string;
  /** The flag whose value it is. */
  readonly flag: HelpFlag | null;
  /** What candidates begin with: `--flag=`, where the shell takes that as one word. */
  readonly prefix: string;
}

/** bash makes words of `=`, too. */
function atCursor(words: readonly string[], flags: readonly HelpFlag[]): Cursor {
  const find = (text: string | undefined) => flags.find(({ name, value }) => name === text && value !== null) ?? null;
  const current = words.at(-1) ?? '';
  const before = words.at(-2);
  if (current === '=') return { current: '', flag: find(before), prefix: '' };
  if (before === '=') return { current, flag: find(words.at(-3)), prefix: '' };
  const [, name, value] = /^(--[\w-]+)=(.*)$/.exec(current) ?? [];
  if (name !== undefined && value !== undefined) return { current: value, flag: find(name), prefix: `${name}=` };
  return { current, flag: find(before), prefix: '' };
}

const plain = (words: readonly string[]): Candidate[] => words.map((text) => ({ text, description: '' }));

/** By the flag's name, then by what the help calls its value. */
async function completeValue(
  { name, value }: HelpFlag,
  subcommand: string,
  { current, prefix }: Pick<Cursor, 'current' | 'prefix'>,
  names: Names,
): Promise<Completion> {
  if (value === 'FILE') return { kind: 'files' };
  if (value === 'DIR') return { kind: 'directories' };
  const words = await valuesOf(name, value, subcommand, names);
  return startingWith(
    prefix + current,
    words.map((word) => ({ ...word, text: prefix + word.text })),
  );
}

/** What `--state` takes; of other subcommands: any state of a run. */
const STATES: Readonly<Record<string, readonly string[]>> = { history: END_STATES, kills: KILL_STATES };

async function valuesOf(
  name: string,
  value: string | null,
  subcommand: string,
  names: Names,
): Promise<readonly Candidate[]> {
  switch (name) {
    case '--job':
      return names.jobs();
    case '--machine':
      return names.machines();
    case '--signal':
      return plain(KILL_SIGNALS.map((signal) => signal.slice('SIG'.length)));
    case '--state':
      return plain(STATES[subcommand] ?? RUN_STATES);
    default:
      // `--stream stdout|stderr` lists its values.
      return value?.includes('|') ? plain(value.split('|')) : [];
  }
}

async function completePositional(
  placeholders: ReadonlySet<string>,
  current: string,
  names: Names,
): Promise<Completion> {
  const shells = placeholders.has('SHELL') ? plain(SHELLS) : [];
  const jobs = placeholders.has('JOB') ? await names.jobs() : [];
  const machines = placeholders.has('MACHINE') ? await names.machines() : [];
  // Ids say nothing to a person: they are offered to who has begun one, or where there is nothing else.
  const wantsRuns = placeholders.has('RUN') && (!placeholders.has('JOB') || /^[0-7]/.test(current));
  const runs = wantsRuns ? await names.runs() : [];
  return startingWith(current, [...shells, ...jobs, ...machines, ...runs]);
}

/** For the shell: a line for each word, with its description; or the name of what the shell completes by itself. */
export function completionText(completion: Completion): string {
  if (completion.kind !== 'words') return `:${completion.kind}\n`;
  return completion.words
    .map(({ text, description }) => `${description === '' ? text : `${text}\t${description}`}\n`)
    .join('');
}

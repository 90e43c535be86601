/**
 * Decides where in a command `leash run` goes.
 *
 * In front of a program, cron's shell still reads the line as it did, and Leash runs the program. A line with more than
 * that (a pipe, a list, a built-in command) goes to the same shell as one word, so that all of it is supervised.
 *
 * Output that a line discards (`>/dev/null 2>&1`) is redirected by cron's shell, after Leash: then Leash shows it. Output
 * that a line writes to a file is data, such as a dump, until the operator says that it is a log (`--capture-logs`).
 */
import { hasAmpersandRedirection, kindOfShell } from './cron-shell.ts';
import type { Placement } from './leash-line.ts';
import { splitAtPercent } from './percent.ts';
import { type Redirection, readShellLine, type SimpleCommand } from './shell-words.ts';

export type PlacementResult =
  | {
      readonly kind: 'placed';
      readonly placement: Placement;
      /** Its two streams go to one file, in order. */
      readonly isMerged: boolean;
      /** The file that its output goes to, which Leash therefore doesn't show. */
      readonly hiddenOutput: string | null;
    }
  | { readonly kind: 'left'; readonly why: string };

export interface PlacementOptions {
  /** What cron runs the command with. */
  readonly shell: string;
  readonly captureLogs: boolean;
}

export function placeLeash(command: string, { shell, captureLogs }: PlacementOptions): PlacementResult {
  const { command: line } = splitAtPercent(command);
  const kind = kindOfShell(shell);
  if (kind === 'unknown') return { kind: 'left', why: `SHELL=${shell}: not a shell whose syntax leash knows` };
  const read = readShellLine(line, hasAmpersandRedirection(shell));
  if (read.kind === 'unbalanced') return { kind: 'left', why: `${read.what} in its command has no end` };
  if (read.commands.every(({ words }) => words.length === 0)) return { kind: 'left', why: 'its command is empty' };
  if (kind === 'other_quoting') {
    return isPlainEverywhere(line)
      ? placed({ kind: 'before', at: 0 })
      : {
          kind: 'left',
          why: `SHELL=${shell}: leash converts only plain commands for it, a path and words without quotes`,
        };
  }
  const found = read.isPlain ? placeBefore(read.commands, kind === 'posix', captureLogs) : null;
  return found ?? placed({ kind: 'shell' }, { hiddenOutput: hiddenOutput(read.commands) });
}

function placed(
  placement: Placement,
  {
    isMerged = false,
    hiddenOutput = null,
  }: { readonly isMerged?: boolean; readonly hiddenOutput?: string | null } = {},
): PlacementResult {
  return { kind: 'placed', placement, isMerged, hiddenOutput };
}

/** In front of the only command; or after `cd DIR &&` when the output of what follows is discarded. */
function placeBefore(
  commands: readonly SimpleCommand[],
  areBuiltinsKnown: boolean,
  captureLogs: boolean,
): PlacementResult | null {
  const [first, second, ...others] = commands;
  if (first === undefined || others.length > 0) return null;
  const [target, isAfterCd] = second === undefined ? [first, false] : [second, isCd(first)];
  if (second !== undefined && (!isAfterCd || second.redirections.length === 0)) return null;
  const [program] = target.words;
  if (target.separator !== '' || program === undefined || !isProgram(program.value, areBuiltinsKnown)) return null;
  if (!target.redirections.every((each) => isPassedOn(each, captureLogs))) return null;
  // A redirection in front of the program stays in front of us.
  return placed({ kind: 'before', at: program.start }, { isMerged: isMergedIntoFile(target.redirections) });
}

function isCd({ words, redirections, separator }: SimpleCommand): boolean {
  return words.length === 2 && words[0]?.value === 'cd' && redirections.length === 0 && separator === '&&';
}

/** Reserved words and built-in commands of sh, dash and bash, also those that exist as programs and differ. */
const NOT_PROGRAMS = new Set(
  `! { } [[ ]] if then else elif fi for while until do done case esac in function select time coproc
  . : [ alias bg bind break builtin caller cd chdir command compgen complete compopt continue declare dirs disown echo enable
  eval exec exit export false fc fg getopts hash help history jobs kill let local logout mapfile newgrp popd printf pushd
  pwd read readarray readonly return set shift shopt source suspend test times trap true type typeset ulimit umask unalias
  unset wait`.split(/\s+/),
);

/** Of a name without a slash it must be known that the shell has no built-in command by it. */
function isProgram(word: string, areBuiltinsKnown: boolean): boolean {
  if (word.includes('/')) return !/^[A-Za-z_]\w*\+?=/.test(word);
  return areBuiltinsKnown && /^[A-Za-z0-9_][\w.+-]*$/.test(word) && !NOT_PROGRAMS.has(word);
}

const DISCARD = '/dev/null';

function isPassedOn({ operator, target }: Redirection, captureLogs: boolean): boolean {
  if (/^[12]?>&$/.test(operator)) return /^[12]$/.test(target.value);
  if (/^0?<$/.test(operator)) return target.value === DISCARD;
  if (!/^([12]?>>?|&>>?)$/.test(operator)) return false;
  return target.value === DISCARD || (captureLogs && operator.endsWith('>>'));
}

/** Whether stdout and stderr both end in one file: then the order of their lines matters. */
function isMergedIntoFile(redirections: readonly Redirection[]): boolean {
  const files: Record<string, string> = { 1: '', 2: '' };
  for (const { operator, target } of redirections) {
    const descriptor = operator.startsWith('2') ? '2' : '1';
    const file = operator.endsWith('>&') ? (files[target.value ?? ''] ?? '') : (target.value ?? '');
    if (operator.endsWith('<')) continue;
    files[descriptor] = file;
    if (operator.startsWith('&')) files[2] = file;
  }
  return files[1] === files[2] && files[1] !== '' && files[1] !== DISCARD;
}

/** Of the last command: where the output of the line goes, roughly. */
function hiddenOutput(commands: readonly SimpleCommand[]): string | null {
  const last = commands.at(-1);
  return last?.redirections.find(({ operator }) => /^(1?>>?|1?>\||&>>?)$/.test(operator))?.target.value ?? null;
}

/** Words that mean the same to csh and fish, after a path. */
function isPlainEverywhere(line: string): boolean {
  return /^\/[\w./+-]+([ \t]+[\w./:=@,+-]+)*[ \t]*$/.test(line);
}

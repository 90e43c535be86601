/**
 * The shell that runs for a millisecond before the command and restores what Node has changed: it sets limits, ignores
 * signals, enters a cgroup, and becomes the command (exec, same pid).
 *
 * Each shell changes some variables by itself, but the command must get exactly its environment. So variables that a shell
 * may change are passed to it as arguments or, the rare ones, set by `env`.
 */
import fs from 'node:fs';
import { type Account, becomeAccount } from '../host/account.ts';
import { forPrintf, hasUndecodable } from '../host/undecodable-bytes.ts';
import type { LaunchState } from './launch-state.ts';

export const SHELL = '/bin/sh';
const ENV = '/usr/bin/env';

export interface ShimSpec {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly launch: Pick<LaunchState, 'noFileSoft' | 'stackSoft' | 'ignoredSignals'>;
  /** A file to write its pid to; null for none. If that fails, the command runs all the same. */
  readonly joinFile: string | null;
  readonly account: Account | null;
  /** Whether stderr goes to stdout. */
  readonly merge: boolean;
  /** The directory to change to; null to stay. */
  readonly cwd: string | null;
  /** A file to write to if the shell can't become the command; null for none. */
  readonly failureFile: string | null;
}

/** Whether the command, its directory or its environment holds bytes that are not UTF-8. */
export function hasOwnBytes({ command, env, cwd }: Pick<ShimSpec, 'command' | 'env' | 'cwd'>): boolean {
  return [...command, cwd ?? ''].some(hasUndecodable) || Object.entries(env).some(isUndecodable);
}

/** What Node must start to become `command` with this environment, whatever bytes they contain. */
export function spawnable(
  command: ShimSpec['command'],
  env: ShimSpec['env'],
): { program: string; args: string[]; env: Record<string, string | undefined> } {
  const launch = { noFileSoft: null, stackSoft: null, ignoredSignals: [] };
  const spec = { command, env, launch, joinFile: null, account: null, merge: false, cwd: null, failureFile: null };
  const shim = shimArguments(spec);
  const [program, ...args] = command;
  return shim === null
    ? { program, args, env: { ...env } }
    : { program: SHELL, args: shim, env: spawnableEnvironment(env) };
}

/** The variables that Node can pass to the shell: the others are in the arguments. */
export function spawnableEnvironment(env: ShimSpec['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter((each) => !isUndecodable(each)));
}

function isUndecodable([name, value]: [string, string | undefined]): boolean {
  return hasUndecodable(name) || (value !== undefined && hasUndecodable(value));
}

/** The arguments with which SHELL becomes the command; null if no shell is needed. */
export function shimArguments(spec: ShimSpec): string[] | null {
  const { command, launch, joinFile, account, merge, cwd, failureFile } = spec;
  const withBytes = hasOwnBytes(spec);
  const steps = [
    launch.noFileSoft === null ? null : `ulimit -Sn ${launch.noFileSoft} 2>/dev/null`,
    launch.ignoredSignals.length === 0 ? null : `trap '' ${launch.ignoredSignals.join(' ')}`,
    joinFile === null ? null : '{ echo $$ >"$1"; } 2>/dev/null; shift',
    merge ? 'exec 2>&1' : null,
    cwd === null ? null : 'cd -P -- "$1" || exit 126; shift',
    // Last: with a smaller stack there may be no space for these arguments.
    launch.stackSoft === null ? null : `ulimit -Ss ${launch.stackSoft}`,
  ].filter((step) => step !== null);
  if (steps.length === 0 && account === null && !withBytes) return null;

  const become = account === null ? [] : becomeAccount(account);
  const target = [...become, ...command];
  const environment = keepEnvironment(spec.env, !(target[0] ?? '').includes('='));
  const script = [...reportFailure(failureFile), ...steps, environment.script].join('\n');
  const join = joinFile === null ? [] : [joinFile];
  const place = cwd === null ? [] : [cwd.startsWith('/') ? cwd : `./${cwd}`];
  const words = [...join, ...place, ...environment.values, ...environment.prefix, ...target];
  return withBytes ? asBytes(script, words) : ['-c', script, 'sh', ...words];
}

/** A shell that can't become the command exits with 126 or 127, but so may the command: the file says which it was. */
function reportFailure(file: string | null): string[] {
  if (file === null) return [];
  // dash exits after the failed exec, bash continues. A signal that ends bash also runs this, but isn't such a failure.
  return ['[ "$BASH_VERSION" ] && shopt -s execfail', `trap '{ echo $?; } 2>&- >"${file}"' EXIT`];
}

/** The kernel's limit for one argument. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

/** The same for words that Node can't pass on: as text with escapes, from which the shell creates the script. */
function asBytes(script: string, words: readonly string[]): string[] {
  const text = `set -- ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}\n${script}`;
  return ['-c', 'eval "$(printf %b "$@")"', 'sh', ...escapedPieces(text)];
}

/** Each code unit becomes five bytes at most: `\0351`. */
function escapedPieces(text: string): string[] {
  const most = Math.floor(MAX_ARGUMENT_BYTES / 5);
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + most, text.length);
    // Not within a character.
    if (/[\ud800-\udbff]/.test(text.charAt(end - 1))) end -= 1;
    pieces.push(forPrintf(text.slice(start, end)));
    start = end;
  }
  return pieces;
}

/** What a shell sets, drops or resets, in addition to PWD, OLDPWD and SHLVL; found by experiments with dash and bash. */
const TOUCHED_BY_SHELLS =
  /^(BASH.*|COMP_WORDBREAKS|DIRSTACK|EPOCH(REAL)?(SECONDS|TIME)|FUNCNAME|GROUPS|E?UID|HISTCMD|IFS|LINENO|OPTERR|OPTIND|PIPESTATUS|POSIXLY_CORRECT|PPID|PS[124]|S?RANDOM|SECONDS|SHELLOPTS)$/;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

interface KeptEnvironment {
  /** Ends in `exec`. */
  readonly script: string;
  /** The first arguments of the script, which it shifts. */
  readonly values: readonly string[];
  /** Words before the command. */
  readonly prefix: readonly string[];
}

/** @param mayUseEnv false when `env` would treat the command's name as a variable */
function keepEnvironment(env: ShimSpec['env'], mayUseEnv: boolean): KeptEnvironment {
  const withEnv = mayUseEnv && fs.existsSync(ENV);
  const values: string[] = [];
  const undecodable = Object.keys(env).filter((name) => isUndecodable([name, env[name]]) && survivesShell(name));
  const lines = ['PWD', 'OLDPWD', ...undecodable.filter((name) => !/^(OLD)?PWD$/.test(name))].map((name) => {
    const value = env[name];
    if (value === undefined) return `unset ${name}`;
    values.push(value);
    return `${name}=$1; export ${name}; shift`;
  });
  if (withEnv) lines.push(execFromBash(env, values));
  return { script: [...lines, 'exec "$@"', 'exit 126'].join('\n'), values, prefix: withEnv ? setByEnv(env) : [] };
}

/** bash increments SHLVL and, on exec, decrements it, but can't unset it; and it drops `_`, which others keep. */
function execFromBash(env: ShimSpec['env'], values: string[]): string {
  const options = env.SHLVL === undefined ? ' -u SHLVL' : '';
  if (env._ === undefined) return options === '' ? '' : `[ "$BASH_VERSION" ] && exec ${ENV}${options} "$@"`;
  values.push(env._);
  return `if [ "$BASH_VERSION" ]; then exec ${ENV}${options} "_=$@"; fi; shift`;
}

function survivesShell(name: string): boolean {
  return IDENTIFIER.test(name) && !TOUCHED_BY_SHELLS.test(name);
}

function setByEnv(env: ShimSpec['env']): string[] {
  const settings = Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return survivesShell(name) && (name !== 'SHLVL' || /^[1-9]\d?$/.test(value)) ? [] : [`${name}=${value}`];
  });
  return settings.length === 0 ? [] : [ENV, ...settings];
}

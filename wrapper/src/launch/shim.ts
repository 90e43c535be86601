/**
 * The shell that stands between us and the command for a millisecond, to give back what Node has changed: it sets
 * limits, ignores signals, enters a cgroup, and becomes the command (exec, same pid).
 *
 * A shell changes some variables of its own accord, each shell others; what the command gets must be its environment and
 * nothing else. So variables that a shell may touch are handed to it as arguments or, the rare ones, set by `env`.
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
  /** A file to write its pid to; null for none. That it can't be written is no reason not to run. */
  readonly joinFile: string | null;
  readonly account: Account | null;
  /** Whether stderr is to go where stdout goes. */
  readonly merge: boolean;
  /** The directory to go to; null to stay. */
  readonly cwd: string | null;
  /** A file to write to when the shell could not become the command; null for none. */
  readonly failureFile: string | null;
}

/** Whether the command, its directory or its environment holds bytes that are not UTF-8. */
export function hasOwnBytes({ command, env, cwd }: Pick<ShimSpec, 'command' | 'env' | 'cwd'>): boolean {
  return [...command, cwd ?? ''].some(hasUndecodable) || Object.entries(env).some(isUndecodable);
}

/** What to have Node start, so that it becomes `command` with this environment, whatever bytes are in them. */
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

/** What Node can be asked to start the shell with: the rest is in the arguments. */
export function spawnableEnvironment(env: ShimSpec['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter((each) => !isUndecodable(each)));
}

function isUndecodable([name, value]: [string, string | undefined]): boolean {
  return hasUndecodable(name) || (value !== undefined && hasUndecodable(value));
}

/** The arguments for SHELL that end up as the command; null when nothing has to be done for it. */
export function shimArguments(spec: ShimSpec): string[] | null {
  const { command, launch, joinFile, account, merge, cwd, failureFile } = spec;
  const withBytes = hasOwnBytes(spec);
  const steps = [
    launch.noFileSoft === null ? null : `ulimit -Sn ${launch.noFileSoft} 2>/dev/null`,
    launch.ignoredSignals.length === 0 ? null : `trap '' ${launch.ignoredSignals.join(' ')}`,
    joinFile === null ? null : '{ echo $$ >"$1"; } 2>/dev/null; shift',
    merge ? 'exec 2>&1' : null,
    cwd === null ? null : 'cd -P -- "$1" || exit 126; shift',
    // The last: with less there may be no room for these arguments.
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

/** A shell that can't become the command exits with 126 or 127, as the command may: so it says that it was the shell. */
function reportFailure(file: string | null): string[] {
  if (file === null) return [];
  // dash ends with the failed exec, bash goes on; a signal that ends bash runs this, too, and is no such failure.
  return ['[ "$BASH_VERSION" ] && shopt -s execfail', `trap '{ echo $?; } 2>&- >"${file}"' EXIT`];
}

/** The kernel takes no longer argument. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

/** The same for words that Node can't pass on: as a text of escapes, out of which the shell makes the script. */
function asBytes(script: string, words: readonly string[]): string[] {
  const text = `set -- ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}\n${script}`;
  return ['-c', 'eval "$(printf %b "$@")"', 'sh', ...escapedPieces(text)];
}

/** No unit of a text becomes more than five bytes: `\0351`. */
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

/** What a shell sets anew, drops or resets, beside PWD, OLDPWD and SHLVL; found by trying dash and bash. */
const TOUCHED_BY_SHELLS =
  /^(BASH.*|COMP_WORDBREAKS|DIRSTACK|EPOCH(REAL)?(SECONDS|TIME)|FUNCNAME|GROUPS|E?UID|HISTCMD|IFS|LINENO|OPTERR|OPTIND|PIPESTATUS|POSIXLY_CORRECT|PPID|PS[124]|S?RANDOM|SECONDS|SHELLOPTS)$/;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

interface KeptEnvironment {
  /** Ends in `exec`. */
  readonly script: string;
  /** What the script takes from the front of its arguments. */
  readonly values: readonly string[];
  /** What stands in front of the command. */
  readonly prefix: readonly string[];
}

/** @param mayUseEnv false when `env` would take the command's name for a variable */
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

/** bash counts SHLVL up and, on exec, down again, but can't be rid of it; and it drops `_`, which others leave alone. */
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

/**
 * The shell that stands between us and the command for a millisecond, to give back what Node has changed: it sets
 * limits, ignores signals, enters a cgroup, and becomes the command (exec, same pid).
 *
 * A shell changes some variables of its own accord, each shell others; what the command gets must be its environment and
 * nothing else. So variables that a shell may touch are handed to it as arguments or, the rare ones, set by `env`.
 */
import fs from 'node:fs';
import { type Account, becomeAccount } from './account.ts';
import type { LaunchState } from './launch-state.ts';

export const SHELL = '/bin/sh';
const ENV = '/usr/bin/env';

export interface ShimSpec {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly launch: Pick<LaunchState, 'noFileSoft' | 'ignoredSignals'>;
  /** A file to write its pid to; null for none. That it can't be written is no reason not to run. */
  readonly joinFile: string | null;
  readonly account: Account | null;
  /** Whether stderr is to go where stdout goes. */
  readonly merge: boolean;
}

/** The arguments for SHELL that end up as the command; null when nothing has to be done for it. */
export function shimArguments(spec: ShimSpec): string[] | null {
  const { command, launch, joinFile, account, merge } = spec;
  const steps = [
    launch.noFileSoft === null ? null : `ulimit -Sn ${launch.noFileSoft} 2>/dev/null`,
    launch.ignoredSignals.length === 0 ? null : `trap '' ${launch.ignoredSignals.join(' ')}`,
    joinFile === null ? null : '{ echo $$ >"$1"; } 2>/dev/null; shift',
    merge ? 'exec 2>&1' : null,
  ].filter((step) => step !== null);
  if (steps.length === 0 && account === null) return null;

  const become = account === null ? [] : becomeAccount(account);
  const target = [...become, ...command];
  const environment = keepEnvironment(spec.env, !(target[0] ?? '').includes('='));
  const script = [...steps, environment.script].join('\n');
  const join = joinFile === null ? [] : [joinFile];
  return ['-c', script, 'sh', ...join, ...environment.values, ...environment.prefix, ...target];
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
  const lines = ['PWD', 'OLDPWD'].map((name) => {
    const value = env[name];
    if (value === undefined) return `unset ${name}`;
    values.push(value);
    return `${name}=$1; export ${name}; shift`;
  });
  if (withEnv) lines.push(execFromBash(env, values));
  return { script: [...lines, 'exec "$@"'].join('\n'), values, prefix: withEnv ? setByEnv(env) : [] };
}

/** bash counts SHLVL up and, on exec, down again, but can't be rid of it; and it drops `_`, which others leave alone. */
function execFromBash(env: ShimSpec['env'], values: string[]): string {
  const options = env.SHLVL === undefined ? ' -u SHLVL' : '';
  if (env._ === undefined) return options === '' ? '' : `[ "$BASH_VERSION" ] && exec ${ENV}${options} "$@"`;
  values.push(env._);
  return `if [ "$BASH_VERSION" ]; then exec ${ENV}${options} "_=$@"; fi; shift`;
}

function setByEnv(env: ShimSpec['env']): string[] {
  const settings = Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const survives = IDENTIFIER.test(name) && !TOUCHED_BY_SHELLS.test(name);
    return survives && (name !== 'SHLVL' || /^[1-9]\d?$/.test(value)) ? [] : [`${name}=${value}`];
  });
  return settings.length === 0 ? [] : [ENV, ...settings];
}

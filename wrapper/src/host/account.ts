/** Running the command as another user of this machine. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { forPrintf } from './undecodable-bytes.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export type FoundAccount =
  | { readonly kind: 'account'; readonly account: Account }
  | { readonly kind: 'unusable'; readonly why: string };

/** How long a directory service (LDAP, SSSD) may take to answer. */
export const LOOKUP_MS = 10_000;

/**
 * Looks a user up, by name or number.
 *
 * @returns `unusable` when we may not become that user, or there is none
 */
export function findAccount(user: string): FoundAccount {
  if (process.geteuid?.() !== 0) return unusable(`only root can run it as another user (${user})`);
  // A colon or a line end would match across the fields or lines of what is searched.
  const line = /[:\n]|^$/.test(user) ? null : passwdLine(user);
  const account = line === null ? null : parsePasswdLine(line);
  return account === null ? unusable(`unknown user ${user}`) : { kind: 'account', account };
}

function unusable(why: string): FoundAccount {
  return { kind: 'unusable', why };
}

function passwdLine(user: string): string | null {
  const asked = spawnSync('getent', ['passwd', '--', user], { encoding: 'utf8', timeout: LOOKUP_MS });
  if (asked.error === undefined) return asked.status === 0 ? asked.stdout : null;
  try {
    // Without getent there is no directory service either.
    const lines = fs.readFileSync('/etc/passwd', 'utf8').split('\n');
    return lines.find((each) => each.startsWith(`${user}:`) || each.split(':')[2] === user) ?? null;
  } catch {
    // No such file: there are no users then.
    return null;
  }
}

/** Reads `name:password:uid:gid:comment:home:shell`. */
export function parsePasswdLine(line: string): Account | null {
  const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.trimEnd().split(':');
  if (name === '' || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return null;
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
}

/** The variables that a login sets for the user. */
export function accountEnvironment({ name, home, shell }: Account): Record<string, string> {
  return { HOME: home, USER: name, LOGNAME: name, SHELL: shell };
}

/** The prefix that makes a command run as the account, with all its groups: spawn's own uid and gid options drop them. */
export function becomeAccount({ uid, gid }: Account): string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
}

const NOT_EXECUTABLE = 126;

/**
 * Tries the change of user on a harmless command, and whether that user may execute `program`: later, a failure would look
 * like an exit of the command.
 *
 * @returns why it fails, or null
 */
export function whyNotAs(account: Account, program: string): string | null {
  const [setpriv = '', ...args] = becomeAccount(account);
  const script = `leash_file=$(printf %b. "$1"); [ -x "\${leash_file%.}" ] || exit ${NOT_EXECUTABLE}`;
  const tried = spawnSync(setpriv, [...args, '/bin/sh', '-c', script, 'sh', forPrintf(program)], {
    cwd: '/',
    encoding: 'utf8',
    timeout: LOOKUP_MS,
  });
  if (tried.error !== undefined) return '--user needs setpriv (util-linux), which was not found';
  if (tried.status === 0) return null;
  if (tried.status === NOT_EXECUTABLE) return `permission denied for user ${account.name}`;
  return `could not become user ${account.name}: ${tried.stderr.trim().split('\n')[0] ?? ''}`;
}

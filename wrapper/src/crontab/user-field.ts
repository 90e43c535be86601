/** Whether a crontab that should have no user field has one: its users would be taken for programs. */
import fs from 'node:fs';
import path from 'node:path';
import { parseLine } from './crontab-entry.ts';
import { splitLines } from './crontab-lines.ts';

export interface UserField {
  readonly user: string;
  /** The number of its line. */
  readonly line: number;
}

/**
 * The first line whose command begins with a user instead of a program.
 *
 * @param text a crontab without a user field, as far as is known
 */
export function findUserField(text: string, isUser = isOnlyUser): UserField | null {
  for (const [index, { text: line }] of splitLines(text).entries()) {
    const parsed = parseLine(line, 'user');
    if (parsed.kind !== 'entry') continue;
    // A user is followed by a command, and a program often by an option.
    const [, user] = /^([\w.-]+)[ \t]+[^ \t-]/.exec(parsed.command) ?? [];
    if (user !== undefined && isUser(user)) return { user, line: index + 1 };
  }
  return null;
}

const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Some are both, such as `git`. */
function isOnlyUser(name: string): boolean {
  if (name === 'root') return true;
  return isLocalUser(name) && !DIRECTORIES.some((directory) => fs.existsSync(path.join(directory, name)));
}

function isLocalUser(name: string): boolean {
  try {
    return fs
      .readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${name}:`));
  } catch {
    // ENOENT: there are no users then.
    return false;
  }
}

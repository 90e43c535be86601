/** Which crontabs there are. */
import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from '../host/error-code.ts';
import type { CrontabSource } from './cron-tables.ts';
import type { CrontabFormat } from './crontab-entry.ts';

const SYSTEM_CRONTAB = '/etc/crontab';
const SYSTEM_DIRECTORY = '/etc/cron.d';

/** Of Debian, of Red Hat and busybox, of SUSE. Other systems have none of them. */
const SPOOLS = ['/var/spool/cron/crontabs', '/var/spool/cron/tabs', '/var/spool/cron'];

/** A crontab that only `crontab` may write. */
export function isInSpool(file: string): boolean {
  return SPOOLS.some((spool) => path.dirname(file) === spool);
}

/** With a user field by their place. */
export function formatOfFile(file: string): CrontabFormat {
  return file === SYSTEM_CRONTAB || path.dirname(file) === SYSTEM_DIRECTORY ? 'system' : 'user';
}

export interface FoundCrontabs {
  readonly sources: readonly CrontabSource[];
  /** Files in /etc/cron.d that only some crons read. */
  readonly disputed: readonly string[];
}

/**
 * All crontabs of this machine: of users, /etc/crontab, and the files in /etc/cron.d.
 *
 * @param root where the tree begins; `/` but for tests
 * @throws what the file system says
 */
export function findCrontabs(root = '/'): FoundCrontabs {
  const spool = SPOOLS.find((directory) => fs.existsSync(path.join(root, directory)));
  const users = spool === undefined ? [] : listFiles(path.join(root, spool));
  const { sources, disputed } = findSystemCrontabs(root);
  return { sources: [...users.map((user): CrontabSource => ({ kind: 'user', user })), ...sources], disputed };
}

/** Those that every user may read. */
export function findSystemCrontabs(root = '/'): FoundCrontabs {
  const directory = path.join(root, SYSTEM_DIRECTORY);
  const names = listFiles(directory).filter(isReadBySome);
  const inDirectory = (name: string) => path.join(directory, name);
  const crontab = path.join(root, SYSTEM_CRONTAB);
  const files = [...(fs.existsSync(crontab) ? [crontab] : []), ...names.filter(isReadByAll).map(inDirectory)];
  return {
    sources: files.map((file) => ({ kind: 'file', path: file, format: 'system' })),
    disputed: names.filter((name) => !isReadByAll(name)).map(inDirectory),
  };
}

function listFiles(directory: string): string[] {
  try {
    const entries = fs.readdirSync(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Debian's cron reads no name with a dot. */
function isReadByAll(name: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(name);
}

/** cronie reads all but hidden files, and those that an editor or a package manager has left. */
function isReadBySome(name: string): boolean {
  return !/^\.|^#|~$|\.(?:rpm(?:save|orig|new)|dpkg-\w+|ucf-\w+|cfsaved|swp)$/.test(name);
}

/** Which crontabs there are. */
import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from '../host/error-code.ts';
import type { CrontabSource } from './cron-tables.ts';
import type { CrontabFormat } from './crontab-entry.ts';

export const SYSTEM_CRONTAB = '/etc/crontab';
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

/**
 * All crontabs of this machine that cron reads: of users, /etc/crontab, and the files in /etc/cron.d.
 *
 * @param root where the tree begins; `/` but for tests
 * @throws what the file system says
 */
export function findCrontabs(root = '/'): readonly CrontabSource[] {
  const at = (directory: string) => path.join(root, directory);
  const spool = SPOOLS.find((directory) => fs.existsSync(at(directory)));
  const users = spool === undefined ? [] : listFiles(at(spool));
  const files = listFiles(at(SYSTEM_DIRECTORY))
    .filter(isReadByCron)
    .map((name) => path.join(at(SYSTEM_DIRECTORY), name));
  const system = fs.existsSync(at(SYSTEM_CRONTAB)) ? [at(SYSTEM_CRONTAB)] : [];
  return [
    ...users.map((user): CrontabSource => ({ kind: 'user', user })),
    ...[...system, ...files].map((file): CrontabSource => ({ kind: 'file', path: file, format: 'system' })),
  ];
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

/** Debian's cron reads no name with a dot, cronie none that ends like a backup. What only one of them reads is left out. */
function isReadByCron(name: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(name);
}

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readCrontab, writeCrontab } from '../../src/crontab/cron-tables.ts';
import { findCrontabs } from '../../src/crontab/find-crontabs.ts';
import { readableCrontabs } from '../../src/crontab/readable-crontabs.ts';
import { unreadableFor } from '../../src/crontab/token-access.ts';
import { findUserField } from '../../src/crontab/user-field.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.geteuid?.() === 0;

test('a file is replaced whole, by one of the same mode and owner, and bytes that are no UTF-8 stay', async () => {
  const directory = temporaryDirectory();
  const file = path.join(directory, 'backup');
  fs.writeFileSync(file, Buffer.from([0xe9, 0x0a]), { mode: 0o640 });
  if (isRoot) fs.chownSync(file, 12, 34);
  const link = path.join(directory, 'link');
  fs.symlinkSync('backup', link);
  const source = { kind: 'file', path: link, format: 'system' } as const;
  expect(readCrontab(source)).toEqual({ kind: 'read', text: '\u00e9\n' });
  expect(await writeCrontab(source, '\u00e9\n', '\u00e9\u00e8\n')).toBeNull();
  expect([...fs.readFileSync(file)]).toEqual([0xe9, 0xe8, 0x0a]);
  const { mode, uid, gid } = fs.statSync(file);
  expect(mode & 0o7777).toBe(0o640);
  if (isRoot) expect({ uid, gid }).toEqual({ uid: 12, gid: 34 });
  expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
  expect(fs.readdirSync(directory).toSorted()).toEqual(['backup', 'link']);
});

test('a file that was changed after it was planned from is left as it is', async () => {
  const file = path.join(temporaryDirectory(), 'backup');
  fs.writeFileSync(file, 'changed\n');
  expect(await writeCrontab({ kind: 'file', path: file, format: 'system' }, 'planned\n', 'new\n')).toContain(
    'meanwhile',
  );
  expect(fs.readFileSync(file, 'utf8')).toBe('changed\n');
});

test('all crontabs of a machine are those that its cron reads', () => {
  const root = temporaryDirectory();
  for (const file of [
    'var/spool/cron/crontabs/ann',
    'etc/crontab',
    'etc/cron.d/backup',
    'etc/cron.d/nightly.jobs',
    'etc/cron.d/x.dpkg-old',
    'etc/cron.d/x~',
    'etc/cron.d/.placeholder',
  ]) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), '');
  }
  expect(findCrontabs(root)).toEqual({
    sources: [
      { kind: 'user', user: 'ann' },
      { kind: 'file', path: path.join(root, 'etc/crontab'), format: 'system' },
      { kind: 'file', path: path.join(root, 'etc/cron.d/backup'), format: 'system' },
    ],
    disputed: [path.join(root, 'etc/cron.d/nightly.jobs')],
  });
  expect(findCrontabs(path.join(root, 'nowhere'))).toEqual({ sources: [], disputed: [] });
});

test("a user who isn't root may read their own, by crontab(1)", () => {
  const directory = temporaryDirectory();
  const table = '0 3 * * * leash run --job backup -- backup';
  fs.writeFileSync(path.join(directory, 'crontab'), `#!/bin/sh\necho '${table}'\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${directory}:${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(readableCrontabs(false)).toContainEqual({ name: 'your crontab', text: `${table}\n`, format: 'user' });
});

test.each([
  ['0 3 * * * root /usr/bin/backup', { user: 'root', line: 3 }],
  ['0 3 * * * root backup --all', { user: 'root', line: 3 }],
  ['@daily ann /usr/bin/backup', { user: 'ann', line: 3 }],
  ['0 3 * * * ann --all', null],
  ['0 3 * * * ann', null],
  ['0 3 * * * annual report', null],
  ['# 0 3 * * * root /usr/bin/backup', null],
])('%s: a user where the program should be', (line, found) => {
  const isUser = (name: string) => ['root', 'ann'].includes(name);
  expect(findUserField(`MAILTO=ops\n0 2 * * * show root\n${line}\n`, isUser)).toEqual(found);
});

test.runIf(isRoot)('a user who cannot read the token is noticed', () => {
  const token = path.join(temporaryDirectory(), 'leash.token');
  fs.writeFileSync(token, 'secret', { mode: 0o600 });
  const settings = { LEASH_TOKEN_FILE: token };
  expect(unreadableFor('nobody', settings, '/dev/null')).toBe(token);
  expect(unreadableFor('root', settings, '/dev/null')).toBeNull();
  fs.chmodSync(token, 0o644);
  expect(unreadableFor('nobody', settings, '/dev/null')).toBeNull();
});

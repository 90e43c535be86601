import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type LocalUser, openStateDirectory, stateDirectoryPath } from '../../src/state/state-directory.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const uid = process.getuid?.() ?? null;
const someone: LocalUser = { uid: 1_000, home: '/home/some', hostname: 'minion.example' };
const me: LocalUser = { ...someone, uid };

function open(directory: string, whereabouts = me) {
  return openStateDirectory({ LEASH_STATE_DIR: directory }, whereabouts);
}

test('the directory is the configured one, else root’s, else the user’s own for this machine', () => {
  expect(stateDirectoryPath({ LEASH_STATE_DIR: '/x' }, { ...someone, uid: 0 })).toBe('/x');
  expect(stateDirectoryPath({ LEASH_STATE_DIR: '' }, { ...someone, uid: 0 })).toBe('/var/lib/leash');
  expect(stateDirectoryPath({}, someone)).toBe('/home/some/.local/state/leash/minion.example');
  expect(stateDirectoryPath({ XDG_STATE_HOME: '/s' }, { ...someone, hostname: 'a/b' })).toBe('/s/leash/a-b');
  expect(stateDirectoryPath({}, { ...someone, home: null })).toBeNull();
});

test('it is created for its owner alone', async () => {
  const directory = path.join(temporaryDirectory(), 'a', 'b');
  expect(await open(directory)).toEqual({ kind: 'usable', path: fs.realpathSync(directory) });
  expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
  expect(await open(directory)).toMatchObject({ kind: 'usable' });
});

test('a directory that others can write to is refused', async () => {
  const directory = temporaryDirectory();
  for (const mode of [0o770, 0o702, 0o1777]) {
    fs.chmodSync(directory, mode);
    const why = expect.stringMatching(/^other users can write to .*; run chmod (700|go-w) on it$/);
    expect(await open(directory)).toMatchObject({ kind: 'unusable', why });
  }
  fs.chmodSync(directory, 0o755);
  expect(await open(directory)).toMatchObject({ kind: 'usable' });
});

test('a directory that others can replace is refused', async () => {
  const above = temporaryDirectory();
  fs.chmodSync(above, 0o777);
  const refused = await open(path.join(above, 'state'));
  expect(refused).toMatchObject({
    kind: 'unusable',
    why: expect.stringContaining(`other users can write to ${above}`),
  });
  // Nothing is made where it would not be ours.
  expect(fs.existsSync(path.join(above, 'state'))).toBe(false);
  fs.chmodSync(above, 0o1777);
  expect(await open(path.join(above, 'state'))).toMatchObject({ kind: 'usable' });
});

test('another user’s directory is refused', async () => {
  const directory = temporaryDirectory();
  const refused = await open(directory, { ...me, uid: (uid ?? 0) + 1 });
  expect(refused).toMatchObject({ kind: 'unusable', why: expect.stringContaining('another user') });
});

test.skipIf(uid !== 0)('another user’s symbolic link is refused, the administrator’s is followed', async () => {
  const directory = temporaryDirectory();
  const target = path.join(directory, 'target');
  const link = path.join(directory, 'link');
  fs.mkdirSync(target, { mode: 0o700 });
  fs.symlinkSync(target, link);
  expect(await open(link)).toEqual({ kind: 'usable', path: fs.realpathSync(target) });
  fs.lchownSync(link, 65_534, 65_534);
  expect(await open(link)).toMatchObject({ kind: 'unusable', why: expect.stringContaining(`${link} belongs to`) });
});

test("a path that can't be a directory is refused with the reason", async () => {
  const file = path.join(temporaryDirectory(), 'file');
  fs.writeFileSync(file, '');
  expect(await open(file)).toMatchObject({ kind: 'unusable' });
  expect(await open(path.join(file, 'below'))).toMatchObject({
    kind: 'unusable',
    why: expect.stringContaining('ENOTDIR'),
  });
  expect(await open('relative')).toMatchObject({ kind: 'unusable', why: expect.stringContaining('absolute') });
  const nowhere = await openStateDirectory({}, { ...someone, home: null });
  expect(nowhere).toMatchObject({ kind: 'unusable', why: expect.stringContaining('LEASH_STATE_DIR') });
  const homeless = await openStateDirectory({}, { ...someone, home: file });
  expect(homeless).toMatchObject({ why: expect.stringMatching(/ENOTDIR.*; set LEASH_STATE_DIR to a directory/) });
});

test.runIf(fs.existsSync('/proc/self'))(
  'a path where no directory can be created is reported, and not tried forever',
  async () => {
    expect(await open('/proc/nope/leash')).toMatchObject({ kind: 'unusable', why: expect.stringContaining('ENOENT') });
  },
);

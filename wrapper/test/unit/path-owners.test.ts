import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readConfigFile } from '../../src/config/config-file.ts';
import { readTokenFile } from '../../src/config/token-file.ts';
import { type PathEntry, type PathOwners, pathOwners, walkTo } from '../../src/host/path-owners.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.getuid?.() === 0;
const ME = 1_000;

const directory = (uid: number, mode = 0o755, gid = uid): PathEntry => ({
  uid,
  gid,
  mode: 0o040_000 | mode,
  target: null,
});
const link = (uid: number, target: string): PathEntry => ({ uid, gid: uid, mode: 0o120_777, target });

/** A machine with these beside what every machine has. */
function walk(file: string, there: Readonly<Record<string, PathEntry>>, uid = ME): PathOwners {
  const all = { '/': directory(0), '/tmp': directory(0, 0o1777), '/home': directory(0), ...there };
  const steps = walkTo(file, uid);
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    step = steps.next(new Map(Object.entries<PathEntry>(all)).get(step.value) ?? null);
  }
}

test('what root and we own, and nobody else may write to, is ours', () => {
  expect(walk('/home/me/state', { '/home/me': directory(ME), '/home/me/state': directory(ME) })).toEqual({
    kind: 'ours',
  });
  expect(walk('/home/me/state', { '/home/me': directory(ME) })).toEqual({ kind: 'missing' });
  expect(walk('/tmp/mine', { '/tmp/mine': directory(ME) })).toEqual({ kind: 'ours' });
});

test.each<[string, string, Record<string, PathEntry>]>([
  ['an ancestor is another user’s', '/srv belongs to another user (uid 7)', { '/srv': directory(7) }],
  ['a group may write to it', 'other users can write to /srv', { '/srv': directory(0, 0o775) }],
  ['everybody may write to it', 'other users can write to /srv', { '/srv': directory(ME, 0o757) }],
  [
    'it is another’s in a sticky directory',
    '/srv/a belongs to',
    { '/srv': directory(0, 0o1777), '/srv/a': directory(7) },
  ],
  ['a link is another’s', '/srv belongs to', { '/srv': link(7, '/home') }],
  [
    'a link leads through what is another’s',
    '/home/x belongs to',
    { '/srv': link(0, 'home/x'), '/home/x': directory(7) },
  ],
  ['a link leads back up', 'other users can write to /b', { '/srv': link(0, '/home/../b'), '/b': directory(0, 0o777) }],
  ['links go round', 'too many', { '/srv': link(0, '/srv') }],
])('shared: %s', (_what, why, there) => {
  const inside = {
    '/srv/a': directory(ME),
    '/home/x/a': directory(ME),
    '/b/a': directory(ME),
    '/home/a': directory(ME),
  };
  expect(walk('/srv/a', { ...inside, ...there })).toEqual({ kind: 'shared', why: expect.stringContaining(why) });
});

test('a user’s own group may write to what is theirs, root’s may not', () => {
  const ofGroup = (uid: number) => ({ '/home/me': directory(uid, 0o775), '/home/me/state': directory(uid) });
  expect(walk('/home/me/state', ofGroup(ME)).kind).toBe('ours');
  expect(walk('/home/me/state', ofGroup(0), 0).kind).toBe('shared');
});

test('in a user namespace root’s files are nobody’s', () => {
  const there = { '/': directory(65_534), '/var': directory(65_534), '/var/state': directory(ME) };
  expect(walk('/var/state', there).kind).toBe('ours');
});

test('what a shell hands over as a descriptor is ours, and so is /dev/null', async () => {
  expect(await pathOwners('/dev/null')).toEqual({ kind: 'ours' });
  const file = fs.openSync(temporaryDirectory(), 'r');
  expect(await pathOwners(`/dev/fd/${file}`)).toEqual({ kind: 'ours' });
  fs.closeSync(file);
});

test.skipIf(!isRoot)('root takes no settings and no token from where others could exchange them', async () => {
  const above = temporaryDirectory();
  const config = path.join(above, 'leash.conf');
  const token = path.join(above, 'token');
  fs.writeFileSync(config, 'LEASH_URL=u\n');
  fs.writeFileSync(token, 'secret\n');
  fs.chmodSync(above, 0o775);
  const why = `other users can write to ${above} and so replace its content; run chmod go-w on it`;
  expect(readConfigFile({ LEASH_CONFIG: config })).toEqual({
    values: {},
    problems: [`ignored the settings in ${config}: ${why}`],
  });
  await expect(readTokenFile(token)).rejects.toThrow(why);
  fs.chmodSync(above, 0o755);
  expect(readConfigFile({ LEASH_CONFIG: config })).toEqual({ values: { LEASH_URL: 'u' }, problems: [] });
  expect(await readTokenFile(token)).toBe('secret');
  fs.chownSync(token, 65_534, 65_534);
  await expect(readTokenFile(token)).rejects.toThrow(`${token} belongs to another user (uid 65534)`);
});

import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig, readConfigFile, userConfigPath, withConfig } from '../../src/config/config-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a line is a setting, an empty one or a comment', () => {
  const { values, problems } = parseConfig(
    '# the fleet\n\nLEASH_URL = https://leash.example.com\r\nLEASH_TOKEN="leash_a=b"\nNO_PROXY=\'.local\'\n',
    '/etc/leash.conf',
  );
  expect(values).toEqual({
    LEASH_URL: 'https://leash.example.com',
    LEASH_TOKEN: 'leash_a=b',
    NO_PROXY: '.local',
  });
  expect(problems).toEqual([]);
});

test('what is not a setting is reported by its line, and the rest holds', () => {
  const { values, problems } = parseConfig('LEASH_URI=x\nleash_secret\n=y\nLEASH_MACHINE=m\n', 'f');
  expect(values).toEqual({ LEASH_MACHINE: 'm' });
  expect(problems).toEqual([
    'f, line 1: unknown setting LEASH_URI, ignored',
    'f, line 2: not KEY=VALUE, ignored',
    'f, line 3: not KEY=VALUE, ignored',
  ]);
});

test('the environment comes before the file, whole choices at a time', () => {
  const file = { LEASH_URL: 'file', LEASH_TOKEN: 'file', HTTPS_PROXY: 'file', LEASH_MACHINE: 'file' };
  expect(withConfig({ LEASH_TOKEN_FILE: '/env', https_proxy: 'env', LEASH_MACHINE: '' }, file)).toEqual({
    LEASH_URL: 'file',
    LEASH_TOKEN_FILE: '/env',
    https_proxy: 'env',
    LEASH_MACHINE: 'file',
  });
});

test('what is left empty is not set: the log of no name, the machine of no name', () => {
  expect(withConfig({ LEASH_LOG: '', HOME: '' }, { LEASH_MACHINE: '', LEASH_REDACT: ' ' })).toEqual({ HOME: '' });
});

test('a file that is named must be there, and be a file', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'leash.conf');
  expect(readConfigFile({ LEASH_CONFIG: path }).problems).toEqual([
    `cannot read the settings in ${path}: file not found; they are ignored`,
  ]);
  expect(readConfigFile({ LEASH_CONFIG: directory }).problems).toEqual([
    `cannot read the settings in ${directory}: it is a directory; they are ignored`,
  ]);
  fs.writeFileSync(path, 'LEASH_URL=u\n');
  expect(readConfigFile({ LEASH_CONFIG: path })).toEqual({ values: { LEASH_URL: 'u' }, problems: [] });
});

test('a user has settings of their own, which come before the machine’s', () => {
  const { home, uid, own } = homeOf();
  const env = { HOME: home };
  expect(readConfigFile(env, uid).values.LEASH_MACHINE).not.toBe('own');
  own('LEASH_MACHINE=own\nLEASH_URI=x\n');
  expect(readConfigFile(env, uid)).toEqual({
    values: { LEASH_MACHINE: 'own' },
    problems: [`${home}/.config/leash/leash.conf, line 2: unknown setting LEASH_URI, ignored`],
  });
  const named = join(home, 'named.conf');
  fs.writeFileSync(named, 'LEASH_MACHINE=named\n');
  expect(readConfigFile({ ...env, LEASH_CONFIG: named }, uid).values).toEqual({ LEASH_MACHINE: 'named' });
});

test('root has none of its own, and neither has a user without a home', () => {
  expect(userConfigPath({ HOME: '/root' }, 0)).toBeNull();
  expect(userConfigPath({}, 1000)).toBeNull();
  expect(userConfigPath({ HOME: '.' }, 1000)).toBeNull();
  expect(readConfigFile({ HOME: '/dev/null' }, 65_534).problems).toEqual([]);
});

test('a user’s own settings are ignored where others could exchange them', () => {
  const { home, uid, own } = homeOf();
  own('LEASH_MACHINE=own\n');
  fs.chmodSync(join(home, '.config'), 0o777);
  const { values, problems } = readConfigFile({ HOME: home }, uid);
  expect(values.LEASH_MACHINE).not.toBe('own');
  expect(problems[0]).toBe(
    `ignored the settings in ${home}/.config/leash/leash.conf: other users can write to ${home}/.config and so replace its content; run chmod go-w on it`,
  );
});

/** The home of a user who isn't root. */
function homeOf(): { home: string; uid: number; own(text: string): void } {
  const home = temporaryDirectory();
  const isRoot = process.getuid?.() === 0;
  const uid = isRoot ? 65_534 : (process.getuid?.() ?? 0);
  const own = (text: string) => {
    const directory = join(home, '.config', 'leash');
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(join(directory, 'leash.conf'), text);
    if (isRoot) for (const each of [directory, join(directory, 'leash.conf')]) fs.chownSync(each, uid, uid);
  };
  return { home, uid, own };
}

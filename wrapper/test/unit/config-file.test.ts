import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig, readConfigFile, withConfig } from '../../src/config/config-file.ts';
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

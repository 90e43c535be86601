import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loginPath, readLogin, removeLogin, writeLogin } from '../../../src/operator/login-file.ts';
import { OperatorError } from '../../../src/operator/operator-error.ts';
import { type OperatorFlags, parseControlPlaneUrl, readOperatorSettings } from '../../../src/operator/settings.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const ONE = 'https://one.example.com';
const OTHER = 'https://other.example.com';
const NO_FLAGS = { url: null, tokenFile: null };

function environment(more: Record<string, string> = {}) {
  const home = temporaryDirectory();
  const LEASH_CONFIG = path.join(home, 'leash.conf');
  fs.writeFileSync(LEASH_CONFIG, '');
  return { HOME: home, LEASH_CONFIG, ...more };
}

async function chosen(env: Record<string, string>, flags: Partial<OperatorFlags> = {}) {
  const { url, token } = await readOperatorSettings({ ...NO_FLAGS, ...flags }, env);
  return [url.origin, token.kind === 'value' ? token.token : token.path];
}

test('flags come first, then the environment, the login, and the settings file', async () => {
  const env = environment();
  fs.writeFileSync(env.LEASH_CONFIG, `LEASH_URL=${ONE}\nLEASH_TOKEN=of-the-machine\n`);
  expect(await chosen(env)).toEqual([ONE, 'of-the-machine']);
  await writeLogin(env, { url: ONE, token: 'of-the-login' });
  expect(await chosen(env)).toEqual([ONE, 'of-the-login']);
  expect(await chosen({ ...env, LEASH_TOKEN: 'of-the-shell' })).toEqual([ONE, 'of-the-shell']);
  expect(await chosen({ ...env, LEASH_TOKEN: 'of-the-shell' }, { tokenFile: '/f' })).toEqual([ONE, '/f']);
});

test('a token is not sent to another control plane than it is for', async () => {
  const env = environment();
  await writeLogin(env, { url: ONE, token: 'of-one' });
  await expect(chosen(env, { url: OTHER })).rejects.toThrow(`no token for ${OTHER}`);
  await expect(chosen({ ...env, LEASH_URL: OTHER })).rejects.toThrow(`no token for ${OTHER}`);
  expect(await chosen(env, { url: `${ONE}/` })).toEqual([ONE, 'of-one']);
  expect(await chosen({ ...env, LEASH_URL: 'wss://one.example.com' })).toEqual([ONE, 'of-one']);
});

test('without any of them it says what to do', async () => {
  await expect(chosen(environment())).rejects.toThrow('Sign in with leash login');
  await expect(chosen(environment({ LEASH_URL: 'ftp://x', LEASH_TOKEN: 'x' }))).rejects.toThrow('not the URL');
});

test('the login is for its owner alone, replaced as a whole, and removed', async () => {
  const env = environment();
  expect(await readLogin(env)).toBeNull();
  await writeLogin(env, { url: ONE, token: 'first' });
  await writeLogin(env, { url: ONE, token: 'second' });
  expect(fs.statSync(loginPath(env)).mode & 0o777).toBe(0o600);
  expect(fs.readdirSync(path.dirname(loginPath(env)))).toEqual(['login.json']);
  expect(await readLogin(env)).toEqual({ url: ONE, token: 'second' });
  expect(await removeLogin(env)).toBe(true);
  expect(await removeLogin(env)).toBe(false);
});

test.each([0o640, 0o604, 0o620])('a login of mode %o is refused', async (mode) => {
  const env = environment();
  await writeLogin(env, { url: ONE, token: 'secret' });
  fs.chmodSync(loginPath(env), mode);
  const error = await readLogin(env).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OperatorError);
  expect(String(error)).toContain(`mode ${mode.toString(8)}`);
  expect(String(error)).not.toContain('secret');
  // What comes before it needs no login.
  expect(await chosen({ ...env, LEASH_URL: ONE, LEASH_TOKEN: 'x' })).toEqual([ONE, 'x']);
});

test.skipIf(process.getuid?.() !== 0)('a login of another user is refused', async () => {
  const env = environment();
  await writeLogin(env, { url: ONE, token: 'secret' });
  fs.chownSync(loginPath(env), 65_534, 65_534);
  await expect(readLogin(env)).rejects.toThrow('another user (uid 65534)');
});

test('a damaged login is not repeated', async () => {
  const env = environment();
  await writeLogin(env, { url: ONE, token: 'secret' });
  fs.writeFileSync(loginPath(env), '{"token": "secret"');
  await expect(readLogin(env)).rejects.toThrow(/damaged(?!.*secret)/);
});

test.each([
  ['leash.example.com', 'https://leash.example.com/'],
  ['https://leash.example.com/base/', 'https://leash.example.com/base'],
  ['ws://localhost:8787', 'http://localhost:8787/'],
  ['mailto:x', null],
  ['https://', null],
])('%s means %s', (text, url) => {
  expect(parseControlPlaneUrl(text)?.href ?? null).toBe(url);
});

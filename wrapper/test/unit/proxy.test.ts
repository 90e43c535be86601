import { expect, test } from 'vitest';
import { authority, describeProxy, portOf, routeTo } from '../../src/http/proxy.ts';

const TARGET = new URL('wss://leash.example.com/api');

function via(env: Record<string, string>, target = TARGET): string {
  const route = routeTo(target, env);
  return route.kind === 'proxy' ? describeProxy(route.proxy) : route.kind;
}

test.each([
  [{}, 'direct'],
  [{ HTTPS_PROXY: 'http://proxy:3128' }, 'proxy http://proxy:3128'],
  [{ https_proxy: 'http://small:1', HTTPS_PROXY: 'http://large:2' }, 'proxy http://small:1'],
  [{ https_proxy: '', HTTPS_PROXY: 'http://large:2' }, 'proxy http://large:2'],
  [{ HTTP_PROXY: 'http://proxy:3128' }, 'direct'],
  [{ ALL_PROXY: 'http://proxy:3128' }, 'proxy http://proxy:3128'],
  [{ all_proxy: 'http://other:1', HTTPS_PROXY: 'http://proxy:3128' }, 'proxy http://proxy:3128'],
  [{ HTTPS_PROXY: 'proxy:3128' }, 'proxy http://proxy:3128'],
  [{ HTTPS_PROXY: 'proxy' }, 'proxy http://proxy:80'],
  [{ HTTPS_PROXY: 'https://proxy' }, 'proxy https://proxy:443'],
  [{ HTTPS_PROXY: 'http://[2001:db8::1]:3128/' }, 'proxy http://[2001:db8::1]:3128'],
  [{ HTTPS_PROXY: 'socks5://proxy:1080' }, 'none'],
  [{ HTTPS_PROXY: 'http://' }, 'none'],
])('%j leads to wss: by way of: %s', (env, expected) => {
  expect(via(env)).toBe(expected);
});

test('ws: goes by http_proxy, except by one that a client may have set in a CGI program', () => {
  const target = new URL('ws://leash.example.com');
  expect(via({ HTTP_PROXY: 'http://proxy:1', HTTPS_PROXY: 'http://other:2' }, target)).toBe('proxy http://proxy:1');
  expect(via({ HTTP_PROXY: 'http://proxy:1', REQUEST_METHOD: 'GET' }, target)).toBe('direct');
  expect(via({ http_proxy: 'http://proxy:1', REQUEST_METHOD: 'GET' }, target)).toBe('proxy http://proxy:1');
});

test('credentials are decoded for the proxy, and shown to nobody', () => {
  const route = routeTo(TARGET, { HTTPS_PROXY: 'http://us%40er:p%3Ass%w@proxy:3128' });
  if (route.kind !== 'proxy') throw new Error('no proxy');
  expect(route.proxy.authorization).toBe(`Basic ${Buffer.from('us@er:p%3Ass%w').toString('base64')}`);
  expect(describeProxy(route.proxy)).toBe('proxy http://proxy:3128');
  const bad = routeTo(TARGET, { HTTPS_PROXY: 'socks5://user:secret@proxy:1080' });
  expect(bad).toMatchObject({ kind: 'none', why: expect.not.stringContaining('secret') });
});

test.each([
  ['*', true],
  ['leash.example.com', true],
  ['example.com', true],
  ['.example.com', true],
  ['*.example.com', true],
  ['EXAMPLE.com', true],
  ['other.org, example.com', true],
  ['other.org example.com', true],
  ['example.com:443', true],
  ['example.com:8443', false],
  ['ample.com', false],
  ['com.example', false],
  ['leash.example.com.org', false],
  ['', false],
  [',,', false],
  ['192.0.2.0/24', false],
])('NO_PROXY=%s exempts leash.example.com: %s', (list, exempt) => {
  expect(via({ HTTPS_PROXY: 'http://proxy:1', NO_PROXY: list })).toBe(exempt ? 'direct' : 'proxy http://proxy:1');
});

test.each([
  ['192.0.2.7', '192.0.2.7', true],
  ['192.0.2.7', '192.0.2.0/24', true],
  ['192.0.2.7', '192.0.2.7:443', true],
  ['192.0.2.7', '192.0.3.0/24', false],
  ['192.0.2.7', '192.0.2.0/99', false],
  ['192.0.2.7', '2.7', false],
  ['[2001:db8::7]', '2001:db8::7', true],
  ['[2001:db8::7]', '[2001:db8:0::7]:443', true],
  ['[2001:db8::7]', '2001:db8::/32', true],
  ['[2001:db8::7]', '192.0.2.0/24', false],
])('the address %s is exempt by NO_PROXY=%s: %s', (host, list, exempt) => {
  const target = new URL(`wss://${host}/`);
  expect(via({ HTTPS_PROXY: 'http://proxy:1', no_proxy: list }, target)).toBe(
    exempt ? 'direct' : 'proxy http://proxy:1',
  );
});

test('this machine itself is not an exception', () => {
  expect(via({ HTTP_PROXY: 'http://proxy:1' }, new URL('ws://127.0.0.1:8787'))).toBe('proxy http://proxy:1');
});

test('a host and its port are written as in a URL', () => {
  expect(authority('2001:db8::1', 443)).toBe('[2001:db8::1]:443');
  expect(portOf(new URL('wss://x'))).toBe(443);
  expect(portOf(new URL('ws://x'))).toBe(80);
  expect(portOf(new URL('ws://x:81'))).toBe(81);
});

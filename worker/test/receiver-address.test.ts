import { expect, test } from 'vitest';
import { checkReceiverUrl } from '../shared/receiver-address.ts';

const isAllowed = (url: string, allowsPrivate = false) => checkReceiverUrl(url, allowsPrivate).kind === 'allowed';

function reason(url: string, allowsPrivate = false): string {
  const checked = checkReceiverUrl(url, allowsPrivate);
  return checked.kind === 'refused' ? checked.reason : '';
}

test.each([
  'https://hooks.example.com/services/T0/B0/secret',
  'https://ntfy.example.com:8443/alerts',
  'https://example.com./trailing-dot',
  'https://localhost.example.com/',
  'https://internal.example.com/',
  'https://8.8.8.8/',
  'https://172.32.0.1/',
  'https://100.128.0.1/',
  'https://[2606:4700:4700::1111]/',
  'https://[2001:4860:4860::8888]/',
  'HTTPS://HOOKS.EXAMPLE.COM/',
])('%s is a public address', (url) => {
  expect(isAllowed(url)).toBe(true);
});

test.each([
  // Loopback and this host.
  'https://127.0.0.1/',
  'https://127.9.9.9:8443/',
  'https://0.0.0.0/',
  'https://localhost/',
  'https://LOCALHOST./',
  'https://api.localhost/',
  'https://[::1]/',
  'https://[::]/',
  // Other spellings of 127.0.0.1 and 169.254.169.254.
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0177.0.0.1/',
  'https://127.1/',
  'https://0x7f.1/',
  'https://127.0.0.1./',
  'https://１２７.０.０.１/',
  'https://127。0。0。1/',
  'https://0xa9fea9fe/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[0:0:0:0:0:ffff:a9fe:a9fe]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[64:ff9b:1::1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:7f00:1::]/',
  // Private networks.
  'https://10.1.2.3/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://100.64.0.1/',
  'https://100.100.100.200/',
  'https://[fc00::1]/',
  'https://[fd12:3456:789a::1]/',
  'https://[fec0::1]/',
  // Link-local, metadata.
  'https://169.254.169.254/latest/meta-data/',
  'https://[fe80::1]/',
  'https://[fd00:ec2::254]/',
  'https://metadata.google.internal/',
  'https://metadata/',
  // Documentation, benchmarks, multicast, reserved.
  'https://192.0.2.1/',
  'https://198.18.0.1/',
  'https://198.51.100.1/',
  'https://203.0.113.9/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://[2001:db8::1]/',
  'https://[3fff::1]/',
  'https://[ff02::1]/',
  // Names of a local network.
  'https://alertmanager:9093/',
  'https://printer.local/',
  'https://router.lan/',
  'https://nas.home.arpa/',
  'https://wiki.corp/',
])('%s is not', (url) => {
  expect(reason(url)).toMatch('public addresses only');
});

test.each([
  ['http://hooks.example.com/', 'begin with https'],
  ['ftp://hooks.example.com/', 'begin with https'],
  ['javascript:alert(1)', 'begin with https'],
  ['hooks.example.com', 'must be a URL'],
  ['https://', 'must be a URL'],
  ['https://1.2.3.256/', 'must be a URL'],
  ['', 'must be a URL'],
  ['https://user:pass@hooks.example.com/', 'user name or password'],
  ['https://hooks.example.com@evil.example/', 'user name or password'],
  ['https://mail.example.com:25/', 'port must be 443'],
  ['https://db.example.com:80/', 'port must be 443'],
])('%s is refused with its reason', (url, expected) => {
  expect(reason(url)).toMatch(expected);
});

test('a deployment may allow private addresses and plain HTTP, but no credentials', () => {
  expect(isAllowed('http://127.0.0.1:9093/api/v2/alerts', true)).toBe(true);
  expect(isAllowed('http://alertmanager:9093/', true)).toBe(true);
  expect(reason('http://user:pass@alertmanager/', true)).toMatch('user name or password');
  expect(reason('file:///etc/passwd', true)).toMatch('begin with https:// or http://');
});

test('a refusal does not contain the URL, whose path is often a secret', () => {
  expect(reason('https://10.0.0.1/T0/B0/secret')).not.toMatch('secret');
});

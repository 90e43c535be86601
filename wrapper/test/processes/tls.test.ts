/** Whose certificates are accepted, and what is said of others. */
import fs from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { authorityFile } from '../support/authority-file.ts';
import { AUTHORITY, EXPIRED, GOOD, KEY, OTHER_NAME, SELF_SIGNED } from '../support/certificates.ts';
import { proxyTo } from '../support/connect-proxy.ts';
import { Dialled, linkTo, tcpServer, timedOut } from '../support/dialling.ts';
import { controlPlane, leashRun } from '../support/leash.ts';

const wss = (plane: { port: number }, host = '127.0.0.1') => `wss://${host}:${plane.port}`;

test.each(['127.0.0.1', 'localhost'])('a private authority in a file is trusted, for %s', async (host) => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const dialled = new Dialled({ baseUrl: wss(plane, host), caFile: authorityFile() });
  await dialled.isOpen();
});

test('a host that serves several names gets the name (SNI)', async () => {
  const asked: string[] = [];
  const SNICallback = (name: string, done: (error: Error | null) => void) => {
    asked.push(name);
    done(null);
  };
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD, SNICallback } });
  await new Dialled({ baseUrl: wss(plane, 'localhost'), caFile: authorityFile() }).isOpen();
  expect(asked).toEqual(['localhost']);
});

test('the file may hold several authorities and words between them', async () => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const caFile = authorityFile(`# ours, old and new\r\n${SELF_SIGNED.replaceAll('\n', '\r\n')}\n# new\n${AUTHORITY}`);
  await new Dialled({ baseUrl: wss(plane), caFile }).isOpen();
});

test('without it the line says what to do, and nothing is sent', async () => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const dialled = new Dialled({ baseUrl: wss(plane) });
  expect(await dialled.ended()).toEqual({
    kind: 'refused',
    why:
      'the certificate of 127.0.0.1 is from an unknown authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE): ' +
      'set LEASH_CA_FILE to a file with the authority’s certificate (PEM)',
  });
  expect(plane.requests).toEqual([]);
});

test.each([
  ['self-signed', SELF_SIGNED, 'set LEASH_CA_FILE'],
  ['expired', EXPIRED, 'has expired: renew it'],
  ['for another host', OTHER_NAME, 'is for other names: set LEASH_URL to one of them (DNS:other.test)'],
])('a certificate that is %s', async (_what, cert, why) => {
  const plane = await controlPlane({ tls: { key: KEY, cert } });
  const dialled = new Dialled({ baseUrl: wss(plane), caFile: authorityFile() });
  expect(await dialled.ended()).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) });
  expect(plane.requests).toEqual([]);
});

test('a host that does not speak TLS is said to', async () => {
  const plane = await controlPlane();
  const dialled = new Dialled({ baseUrl: wss(plane) });
  expect(await dialled.ended()).toMatchObject({ kind: 'refused', why: expect.stringContaining('does not speak TLS') });
});

test.each([
  ['without a certificate', 'nothing here', 'contains no certificate (PEM)'],
  ['with a damaged one', AUTHORITY.replace(/\n(.{20}).{8}/, '\n$1AAAAAAAA'), 'certificate 1 in'],
])('a file %s is refused, and said why', async (_what, text, why) => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const dialled = new Dialled({ baseUrl: wss(plane), caFile: authorityFile(text) });
  expect(await dialled.ended()).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) });
});

test('the file is read again for each attempt', async () => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const caFile = authorityFile(SELF_SIGNED);
  expect(await new Dialled({ baseUrl: wss(plane), caFile }).ended()).toMatchObject({ kind: 'refused' });
  fs.writeFileSync(caFile, AUTHORITY);
  await new Dialled({ baseUrl: wss(plane), caFile }).isOpen();
  fs.rmSync(caFile);
  const gone = await new Dialled({ baseUrl: wss(plane), caFile }).ended();
  expect(gone).toMatchObject({ kind: 'refused', why: expect.stringContaining('cannot read the certificates') });
});

test('a link that was refused reports so once, and counts as out of reach', async () => {
  const plane = await controlPlane({ tls: { key: KEY, cert: SELF_SIGNED } });
  const { link, warnings } = linkTo({ baseUrl: wss(plane) });
  await waitFor('refused', () => link.state === 'refused');
  expect(warnings).toEqual([expect.stringMatching(/^not supervised: .*LEASH_CA_FILE.*; the command keeps running$/)]);
  expect(link.unreachableSince).not.toBeNull();
});

test('a TLS handshake that hangs is given up in time', async () => {
  const server = await tcpServer(() => {});
  const ending = await timedOut({ baseUrl: `wss://127.0.0.1:${server.port}` }, () => server.receivedBytes() > 0);
  const why = 'timed out after 15 s negotiating TLS with 127.0.0.1';
  expect(ending).toEqual({ kind: 'lost', why });
  await waitFor('no open connection', () => server.open() === 0);
});

/** The link on a machine whose own list of authorities is this, in modules of its own: files of tests share theirs. */
async function onMachineWith(list: string): Promise<typeof import('../support/dialling.ts')> {
  vi.resetModules();
  vi.doMock(import('../../src/config/blocking-file.ts'), async (original) => {
    const { readBlockingFile } = await original();
    return { readBlockingFile: (file) => (file.startsWith('/etc/') ? Promise.resolve(list) : readBlockingFile(file)) };
  });
  onTestFinished(() => {
    vi.doUnmock('../../src/config/blocking-file.ts');
    vi.resetModules();
  });
  return await import('../support/dialling.ts');
}

test('an authority that only this machine’s own list has is trusted, also for a proxy', async () => {
  const there = await onMachineWith(AUTHORITY);
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  await new there.Dialled({ baseUrl: wss(plane) }).isOpen();
  const proxy = await proxyTo(plane.port, { secure: true });
  await new there.Dialled({ baseUrl: wss(plane), proxy: { https_proxy: proxy.url() } }).isOpen();
  await new there.Dialled({ baseUrl: wss(plane), caFile: authorityFile(SELF_SIGNED) }).isOpen();
});

test('LEASH_CA_FILE is enough for a run', async () => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const env = { LEASH_CA_FILE: authorityFile() };
  const leash = leashRun(['sh', '-c', 'echo hello; exit 3'], { plane, env });
  expect((await leash.exited()).code).toBe(3);
  expect(plane.stored.toString()).toBe('hello\n');
  expect(leash.stderr).toBe('');
});

test.each([
  ['turns the check off', 'NODE_TLS_REJECT_UNAUTHORIZED', () => '0', {}],
  ['adds authorities', 'NODE_EXTRA_CA_CERTS', authorityFile, {}],
  ['names another list', 'SSL_CERT_FILE', authorityFile, { NODE_OPTIONS: '--use-openssl-ca' }],
])('what %s is for the command alone, also where nothing hides it from Node', async (_what, name, makeValue, more) => {
  const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
  const value = makeValue();
  const env = { ...more, [name]: value };
  const leash = leashRun(['sh', '-c', `printf %s "$${name}"; exit 3`], { plane, env });
  expect((await leash.exited()).code).toBe(3);
  expect(leash.stdout.toString()).toBe(value);
  expect(plane.requests).toEqual([]);
  // In one or two lines: Node has nothing to warn of.
  const lines = leash.stderr.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^leash: not supervised: the certificate .*set LEASH_CA_FILE/);
  expect(lines.filter((line) => !line.startsWith('leash: '))).toEqual([]);
});

test('nor does it count for a proxy', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port, { secure: true });
  const dialled = new Dialled({ baseUrl: 'ws://leash.test', proxy: { http_proxy: proxy.url() } });
  expect(await dialled.ended()).toMatchObject({ kind: 'refused', why: expect.stringContaining('set LEASH_CA_FILE') });
  expect(proxy.requests).toEqual([]);
});

/** Reaching the control plane through a web proxy. */
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { waitFor } from '#testing/wait-for';
import { authorityFile } from '../support/authority-file.ts';
import { GOOD, KEY } from '../support/certificates.ts';
import { proxyTo } from '../support/connect-proxy.ts';
import { Dialled, linkTo, timedOut } from '../support/dialling.ts';
import { gate } from '../support/gate.ts';
import { controlPlane, leashRun, marker, shell } from '../support/leash.ts';

/** A name that means something to the proxy only. */
const TARGET = 'ws://leash.test:8080';

test('a run goes through the proxy, and can be seen and killed there', async () => {
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port);
  const mark = marker();
  const env = { LEASH_URL: 'http://leash.test', HTTP_PROXY: proxy.url('user:p%40ss@') };
  const leash = leashRun(shell('echo hello; sleep 1000; :', mark), { plane, env, options: ['--verbose'] });
  await waitFor('the output', () => plane.stored.includes('hello'));
  expect(proxy.requests[0]).toEqual({
    target: 'leash.test:80',
    authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
  });
  plane.kill(newKillId());
  expect((await leash.exited()).code).toBe(143);
  expect(leash.stderr).toContain(`connecting to leash.test:80 via proxy ${proxy.url()}\n`);
});

test('a proxy that refuses is reported in one line, without its password, and the command runs on', async () => {
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port);
  proxy.answer = 407;
  const env = { LEASH_URL: 'http://leash.test', HTTP_PROXY: proxy.url('user:secret@') };
  const end = gate();
  const leash = leashRun(['sh', '-c', `echo hello; ${end.wait}; exit 3`], { plane, env });
  await waitFor('the line', () => leash.stderr.includes('(407)'));
  end.open();
  expect((await leash.exited()).code).toBe(3);
  expect(leash.stderr).toContain(`(407): set HTTPS_PROXY to http://user:password@host:port (via proxy ${proxy.url()})`);
  expect(leash.stderr).not.toContain('secret');
  expect(plane.attempts).toBe(0);
});

test('the target’s name goes to the proxy as it is, and every connection is over when the link is', async () => {
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port);
  const dialled = new Dialled({ baseUrl: TARGET, proxy: { http_proxy: proxy.url() } });
  await dialled.isOpen();
  expect(proxy.requests).toEqual([{ target: 'leash.test:8080', authorization: undefined }]);
  dialled.connection.terminate('enough');
  await waitFor('no open connection', () => proxy.open === 0);
});

test.each([false, true])(
  'TLS to the control plane goes through the proxy, itself spoken to by TLS: %s',
  async (secure) => {
    const plane = await controlPlane({ tls: { key: KEY, cert: GOOD } });
    const proxy = await proxyTo(plane.port, { secure });
    const dialled = new Dialled({
      baseUrl: 'wss://leash.test',
      caFile: authorityFile(),
      proxy: { HTTPS_PROXY: proxy.url() },
    });
    await dialled.isOpen();
    expect(proxy.requests).toMatchObject([{ target: 'leash.test:443' }]);
    expect(plane.requests[0]?.authorization).toBe('Bearer secret-token');
  },
);

test.each([
  [407, 'refused', 'HTTPS_PROXY'],
  [403, 'refused', 'does not allow connections to leash.test:8080'],
  [400, 'refused', 'could not connect to leash.test:8080'],
  [502, 'lost', 'could not connect to leash.test:8080'],
  [503, 'lost', '503'],
  ['garbage', 'refused', 'the proxy does not look like an HTTP proxy (Parse Error'],
  ['hang_up', 'lost', ''],
] as const)('a proxy that answers %s: %s', async (answer, kind, why) => {
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port);
  proxy.answer = answer;
  const dialled = new Dialled({ baseUrl: TARGET, proxy: { http_proxy: proxy.url('user:secret@') } });
  const ending = await dialled.ended();
  expect(ending).toMatchObject({ kind, why: expect.stringContaining(why) });
  expect(ending.why).toContain(`via proxy ${proxy.url()}`);
  expect(ending.why).not.toContain('secret');
  await waitFor('no open connection', () => proxy.open === 0);
  expect(plane.attempts).toBe(0);
});

test('a proxy that never answers is given up in time, and its connection closed', async () => {
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port);
  proxy.answer = 'silence';
  const to = { baseUrl: TARGET, proxy: { http_proxy: proxy.url() } };
  const ending = await timedOut(to, () => proxy.requests.length > 0);
  const why = `timed out after 15 s waiting for the proxy ${proxy.url()}`;
  expect(ending).toEqual({ kind: 'lost', why });
  await waitFor('no open connection', () => proxy.open === 0);
});

test('a proxy that is not there is named', async () => {
  const dialled = new Dialled({ baseUrl: TARGET, proxy: { http_proxy: 'http://user:secret@127.0.0.1:1' } });
  const ending = await dialled.ended();
  expect(ending).toEqual({ kind: 'lost', why: 'connect ECONNREFUSED 127.0.0.1:1 (via proxy http://127.0.0.1:1)' });
});

test('a proxy of another kind is not passed by', async () => {
  const plane = await controlPlane();
  const dialled = new Dialled({
    baseUrl: plane.url.replace('http', 'ws'),
    proxy: { ALL_PROXY: 'socks5://user:secret@proxy:1080' },
  });
  const why = 'ALL_PROXY is not a proxy URL of the form http://host:port';
  expect(await dialled.ended()).toEqual({ kind: 'refused', why });
  expect(plane.attempts).toBe(0);
});

test('what NO_PROXY names is reached straight', async () => {
  const plane = await controlPlane();
  const proxy = await proxyTo(plane.port);
  const linked = linkTo({
    baseUrl: plane.url.replace('http', 'ws'),
    proxy: { HTTP_PROXY: proxy.url(), NO_PROXY: '127.0.0.0/8' },
  });
  await waitFor('connected', () => linked.link.state === 'connected');
  expect(proxy.requests).toEqual([]);
});

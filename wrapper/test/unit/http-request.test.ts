import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Connections, type HttpRequest, type HttpResponse, RequestError, request } from '../../src/http/request.ts';
import { authorityFile } from '../support/authority-file.ts';
import { GOOD, KEY, OTHER_NAME } from '../support/certificates.ts';
import { proxyTo } from '../support/connect-proxy.ts';
import { tcpServer } from '../support/dialling.ts';

/** Long enough for any machine. */
const LONG_MS = 120_000;

async function server(listener: RequestListener, cert: string | null = null): Promise<URL> {
  const made = cert === null ? http.createServer(listener) : https.createServer({ key: KEY, cert }, listener);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    made.closeAllConnections();
    made.close();
  });
  return new URL(`${cert === null ? 'http' : 'https'}://127.0.0.1:${(made.address() as AddressInfo).port}/api`);
}

function get(url: URL, options: Partial<HttpRequest> = {}) {
  return request({ method: 'GET', url, proxyEnv: {}, caFile: null, timeoutMs: LONG_MS, ...options });
}

async function responseOf(url: URL, options: Partial<HttpRequest> = {}): Promise<HttpResponse> {
  const result = await get(url, options);
  if (result.kind === 'failure') throw new Error(JSON.stringify(result.failure));
  return result.response;
}

async function failureOf(url: URL, options: Partial<HttpRequest> = {}) {
  const result = await get(url, options);
  if (result.kind === 'response') throw new Error(`status ${result.response.status}`);
  return result.failure;
}

async function textOf({ body }: HttpResponse): Promise<string> {
  let text = '';
  for await (const chunk of body) text += Buffer.from(chunk).toString();
  return text;
}

const echo: RequestListener = async (incoming, response) => {
  let body = '';
  for await (const chunk of incoming) body += String(chunk);
  response.writeHead(201, { 'Content-Type': 'text/plain' });
  response.end(`${incoming.method} ${incoming.url} ${incoming.headers.host} ${incoming.headers.authorization} ${body}`);
};

test('a request with method, headers and body, and a response with status, headers and body', async () => {
  const url = await server(echo);
  url.search = '?a=1';
  const response = await responseOf(url, { method: 'POST', headers: { Authorization: 'Bearer x' }, body: 'hé' });
  expect(response.status).toBe(201);
  expect(response.headers['content-type']).toBe('text/plain');
  expect(await textOf(response)).toBe(`POST /api?a=1 ${url.host} Bearer x hé`);
});

test('TLS by a private authority, directly and through a proxy', async () => {
  const url = await server(echo, GOOD);
  const caFile = authorityFile();
  expect(await textOf(await responseOf(url, { caFile }))).toContain('GET /api');
  const proxy = await proxyTo(Number(url.port));
  const steps: string[] = [];
  const options = {
    caFile,
    proxyEnv: { https_proxy: proxy.url() },
    onStep: ({ kind }: { kind: string }) => steps.push(kind),
  };
  expect(await textOf(await responseOf(url, options))).toContain('GET /api');
  expect(proxy.requests).toMatchObject([{ target: url.host }]);
  expect(steps).toEqual(['tcp', 'tunnel', 'tls']);
});

test('a connection is used again where it is asked for', async () => {
  const ports = new Set<number | undefined>();
  const url = await server((incoming, response) => {
    ports.add(incoming.socket.remotePort);
    response.end('ok');
  });
  const connections = new Connections();
  onTestFinished(() => connections.close());
  for (let count = 0; count < 3; count += 1) expect(await textOf(await responseOf(url, { connections }))).toBe('ok');
  expect(ports.size).toBe(1);
  await textOf(await responseOf(url));
  expect(ports.size).toBe(2);
});

test('each way to fail has a name', async () => {
  const closed = await server(echo);
  const unknown = await server(echo, OTHER_NAME);
  const foreign = await tcpServer((socket) => socket.end('220 mail.example.com ESMTP\r\n\r\n'));
  const hangsUp = await server((incoming) => incoming.socket.destroy());
  const proxy = await proxyTo(Number(closed.port));
  proxy.answer = 403;
  const proxyEnv = { http_proxy: proxy.url() };
  // Nothing listens at port 1, which only root could change.
  expect(await failureOf(new URL('http://127.0.0.1:1/'))).toMatchObject({ kind: 'refused' });
  expect(await failureOf(new URL('http://leash.localhost.invalid/'))).toMatchObject({ kind: 'dns' });
  expect(await failureOf(unknown)).toMatchObject({ kind: 'tls' });
  expect(await failureOf(unknown, { caFile: '/nowhere' })).toMatchObject({ kind: 'settings' });
  expect(await failureOf(closed, { proxyEnv: { http_proxy: '://' } })).toMatchObject({ kind: 'settings' });
  expect(await failureOf(closed, { proxyEnv })).toMatchObject({ kind: 'proxy' });
  expect(await failureOf(closed, { proxyEnv: { http_proxy: 'http://127.0.0.1:1' } })).toMatchObject({ kind: 'proxy' });
  expect(await failureOf(new URL(`http://127.0.0.1:${foreign.port}/`))).toMatchObject({ kind: 'not_http' });
  expect(await failureOf(hangsUp)).toMatchObject({ kind: 'broken' });
});

test('silence ends by the timeout, before the response and within it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const silent = await server(() => vi.advanceTimersByTime(LONG_MS));
  expect(await failureOf(silent)).toEqual({
    kind: 'timeout',
    why: `timed out after 120 s waiting for a response from ${silent.host}`,
  });
  const stalls = await server((_incoming, response) => void response.write('some'));
  const error = textOf(await responseOf(stalls)).catch((thrown: unknown) => thrown);
  vi.advanceTimersByTime(LONG_MS);
  expect(await error).toBeInstanceOf(RequestError);
  expect(await error).toMatchObject({ failure: { kind: 'timeout' } });
});

test('an aborted signal ends it, before it is sent, before the response and within it', async () => {
  const aborting = new AbortController();
  const url = await server((_incoming, response) => void response.write('some'));
  const response = await responseOf(url, { signal: aborting.signal });
  const read = textOf(response).catch((thrown: unknown) => thrown);
  const silent = await server(() => aborting.abort());
  expect(await failureOf(silent, { signal: aborting.signal })).toMatchObject({ kind: 'aborted' });
  expect(await read).toMatchObject({ failure: { kind: 'aborted' } });
  expect(await failureOf(url, { signal: aborting.signal })).toMatchObject({ kind: 'aborted' });
});

test('a body that breaks off is no shorter body', async () => {
  const url = await server((_incoming, response) => {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('some', () => response.destroy());
  });
  expect(await textOf(await responseOf(url)).catch((thrown: unknown) => thrown)).toMatchObject({
    failure: { kind: 'broken' },
  });
});

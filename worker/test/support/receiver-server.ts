/** Started before the tests, outside of the runtime: a server on loopback that receives alerts, well or badly, by its path. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { MIB } from '#protocol/limits';

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** `/received` lists the requests so far; the path of any other says how it is answered. */
    readonly receiverUrl: string;
  }
}

export default async function setUp(project: TestProject): Promise<() => void> {
  const received: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const path = request.url ?? '';
      if (path === '/received') {
        response.end(JSON.stringify(received));
        return;
      }
      received.push({ path, headers: request.headers, body });
      answer(path, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  project.provide('receiverUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

function answer(path: string, response: ServerResponse): void {
  const [, how = '', value = ''] = path.split('/');
  switch (how) {
    case 'hang':
      return;
    case 'hang-after-headers':
      response.writeHead(Number(value), { 'Content-Type': 'text/plain' });
      response.write('the beginning');
      return;
    case 'redirect':
      response.writeHead(Number(value), { Location: '/redirected' });
      response.end();
      return;
    case 'retry-after':
      response.writeHead(429, { 'Retry-After': decodeURIComponent(value) });
      response.end('{"message":"slow down"}');
      return;
    case 'megabyte':
      response.writeHead(Number(value), { 'Content-Type': 'text/plain' });
      response.end(`begins so\n${' '.repeat(MIB)}ends so`);
      return;
    case 'drop':
      response.socket?.destroy();
      return;
    case 'status':
      response.writeHead(Number(value));
      response.end(Number(value) < 300 ? '' : 'invalid\n\tpayload \u202e');
      return;
    default:
      response.end('ok');
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

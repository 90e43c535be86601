/** What a deployment makes of the first responses of what it has deployed. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { waitUntilHealthy } from '../../scripts/deploy/health.ts';

async function serve(respond: (response: ServerResponse, call: number) => void): Promise<string> {
  let calls = 0;
  const server = createServer((_request, response) => respond(response, ++calls));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // Not at the root, where the answers to these tests are taken for those of a control plane.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/somewhere`;
}

const NO_SCHEMA = JSON.stringify({
  type: 'about:blank',
  title: 'unavailable',
  status: 503,
  code: 'unavailable',
  detail: 'The database lacks the schema.',
  request_id: 'R',
});

test('it is healthy as soon as it says so, whatever came before', async () => {
  const address = await serve((response, call) => {
    if (call === 1) response.writeHead(404).end('<html>There is nothing here yet</html>');
    else if (call === 2) response.writeHead(503).end(NO_SCHEMA);
    else response.end('{"status":"ok"}');
  });
  expect(await waitUntilHealthy(address, { pauseMs: 1 })).toEqual({ kind: 'healthy' });
});

test('in the end it is what it said last', async () => {
  const unhealthy = await serve((response) => response.writeHead(503).end(NO_SCHEMA));
  expect(await waitUntilHealthy(unhealthy, { limitMs: 0 })).toEqual({
    kind: 'unhealthy',
    detail: 'The database lacks the schema.',
  });
  const unknown = await serve((response) => response.writeHead(530).end('error code: 1016'));
  expect(await waitUntilHealthy(unknown, { limitMs: 0 })).toEqual({ kind: 'unreached', detail: 'HTTP status 530' });
  const closed = await serve((response) => response.destroy());
  expect(await waitUntilHealthy(closed, { limitMs: 0 })).toMatchObject({ kind: 'unreached' });
});

/**
 * The least that can be between a call and a signal: an HTTP server that passes a POST on over a WebSocket. A parent process
 * gets its port. floor-client.ts is at the other end.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';

const server = createServer(async (request, response) => {
  const body = await text(request);
  for (const client of sockets.clients) client.send(body);
  response.writeHead(202, { 'content-type': 'application/json' }).end(body);
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit(0));

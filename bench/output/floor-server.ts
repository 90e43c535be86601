/**
 * The least that can store and show output: a WebSocket server that appends what it receives to a file, acknowledges it, and
 * passes it on to those who watch at /watch. Its argument is the file; a parent process gets its port.
 */
import { openSync, writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

const file = openSync(process.argv[2] ?? '', 'w');
const viewers = new Set<WebSocket>();
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('listening', () => process.send?.((server.address() as AddressInfo).port));
server.on('connection', (socket, { url }) => {
  if (url === '/watch') {
    viewers.add(socket);
    return;
  }
  socket.on('message', (data: Buffer) => {
    writeSync(file, data);
    for (const viewer of viewers) viewer.send(data);
    socket.send(String(data.length));
  });
});
process.once('disconnect', () => process.exit(0));

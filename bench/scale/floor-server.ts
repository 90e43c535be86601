/** The least that can accept a crowd of wrappers: each `start` is acked at once, nothing is stored. A parent gets its port. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { type ObjectMessage, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';

const STARTED: ObjectMessage = {
  type: 'ack',
  of: 'start',
  offset: 0,
  flow: 'lazy',
  heartbeat_ms: 5_000,
  silence_ms: 15_000,
  reconnect_cap_ms: 10_000,
};

const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  // As many as dial at once.
  backlog: 4_096,
  perMessageDeflate: false,
  handleProtocols: () => WRAPPER_SUBPROTOCOL,
});
server.on('listening', () => process.send?.((server.address() as AddressInfo).port));
server.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    socket.send(text === HEARTBEAT ? HEARTBEAT : JSON.stringify(STARTED));
  });
});
process.once('disconnect', () => process.exit(0));

/** The least control plane there can be: accepts every run, and acks its output without storing it. */
import { once } from 'node:events';
import http from 'node:http';
import https, { type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { decodeOutputFrame } from '#protocol/output-frame';
import { type ObjectMessage, readWrapperMessage, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';

export interface Acknowledger {
  readonly url: string;
  close(): void;
}

/** @param tls its certificate and key; null: it speaks plain HTTP */
export async function acknowledger(tls: ServerOptions | null): Promise<Acknowledger> {
  const server = tls === null ? http.createServer() : https.createServer(tls);
  const sockets = new WebSocketServer({ server, handleProtocols: () => WRAPPER_SUBPROTOCOL });
  sockets.on('connection', acknowledge);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${tls === null ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const client of sockets.clients) client.terminate();
      server.close();
    },
  };
}

function acknowledge(socket: WebSocket): void {
  const say = (message: ObjectMessage): void => socket.send(JSON.stringify(message));
  socket.on('error', () => {
    // A run that ends while it is being acked.
  });
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) {
      const decoded = decodeOutputFrame(data);
      if (decoded.ok) say({ type: 'ack', of: 'output', offset: decoded.frame.start + decoded.frame.bytes.length });
      return;
    }
    const text = data.toString();
    if (text === HEARTBEAT) return socket.send(HEARTBEAT);
    const read = readWrapperMessage(text);
    if (read.kind !== 'message') return;
    if (read.message.type === 'complete') say({ type: 'ack', of: 'complete' });
    else if (read.message.type === 'gap') say({ type: 'ack', of: 'output', offset: read.message.to });
    else if (read.message.type === 'start') {
      const times = { heartbeat_ms: 5_000, silence_ms: 15_000, reconnect_cap_ms: 10_000 };
      say({ type: 'ack', of: 'start', offset: 0, flow: 'eager', ...times });
    }
  });
}

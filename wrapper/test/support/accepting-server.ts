/** A control plane for many runs that accepts each and does nothing more. */
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { type ObjectMessage, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';

export interface AcceptingServer {
  readonly port: number;
  /** When (performance.now()) each connection was made. */
  readonly arrivals: number[];
  /** Those that are open. */
  readonly sockets: ReadonlySet<WebSocket>;
  /** Cuts all of them, without a word. */
  drop(): void;
}

const ACCEPTED: ObjectMessage = {
  type: 'ack',
  of: 'start',
  offset: 0,
  flow: 'lazy',
  heartbeat_ms: 1_000,
  silence_ms: 60_000,
  reconnect_cap_ms: 10_000,
};

/** A server that is gone when the test is over. */
export async function acceptingServer(): Promise<AcceptingServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => WRAPPER_SUBPROTOCOL });
  const arrivals: number[] = [];
  server.on('connection', (socket) => {
    arrivals.push(performance.now());
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const frame = data.toString();
      if (frame === HEARTBEAT) socket.send(HEARTBEAT);
      else if (frame.includes('"start"')) socket.send(JSON.stringify(ACCEPTED));
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const drop = () => {
    for (const socket of server.clients) socket.terminate();
  };
  onTestFinished(() => {
    drop();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, arrivals, sockets: server.clients, drop };
}

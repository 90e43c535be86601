/** What `leash doctor` asks of a control plane, with one thing wrong at a time. */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';

export interface DoctorPlaneScript {
  readonly tls?: https.ServerOptions;
  readonly health?: { readonly status: number; readonly body: object | string; readonly location?: string };
  /** The clock of the control plane. */
  readonly date?: Date;
  readonly session?: { readonly status: number; readonly body: object };
  /** What happens to an upgrade; a number: this status, from somebody in between. */
  readonly upgrade?: 'open' | 'drop' | number | { readonly status: number; readonly detail: string };
  readonly digest?: string;
}

const SESSION = { session: { name: 'web1', scopes: ['run'], jobs: '*', machines: 'web1', expires_at: null } };

const HEALTHY: NonNullable<DoctorPlaneScript['health']> = { status: 200, body: { status: 'ok' } };

/** @returns its URL; it is gone when the test is over */
export async function doctorPlane(script: DoctorPlaneScript = {}): Promise<string> {
  const server = script.tls === undefined ? http.createServer() : https.createServer(script.tls);
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => WRAPPER_SUBPROTOCOL });
  server.on('tlsClientError', () => {
    // A client that doesn't trust the certificate reports that itself.
  });
  server.on('request', (request, response) => respond(request.url ?? '', response, script));
  server.on('upgrade', (request, socket, head) => {
    const { upgrade = 'open' } = script;
    if (upgrade === 'open') sockets.handleUpgrade(request, socket, head, echoHeartbeats);
    else if (upgrade === 'drop') socket.destroy();
    else socket.end(refusal(upgrade));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `${script.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function echoHeartbeats(socket: WebSocket): void {
  socket.on('message', (data) => {
    if (data.toString() === HEARTBEAT) socket.send(HEARTBEAT);
  });
}

function respond(path: string, response: http.ServerResponse, script: DoctorPlaneScript): void {
  if (script.date !== undefined) response.setHeader('Date', script.date.toUTCString());
  const { health = HEALTHY, session = { status: 200, body: SESSION }, digest } = script;
  if (path === '/healthz') {
    if (health.location !== undefined) response.setHeader('Location', health.location);
    send(response, health.status, health.body);
  } else if (path === '/api/v1/session') send(response, session.status, session.body);
  else if (path === '/leash.cjs.sha256' && digest !== undefined) send(response, 200, `${digest}  leash.cjs\n`);
  else send(response, 404, 'nothing here');
}

function send(response: http.ServerResponse, status: number, body: object | string): void {
  response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** A problem document, as a control plane sends it. */
export function problemBody(status: number, code: string, detail: string): object {
  return { type: `https://leash.invalid/problems/${code}`, title: code, status, code, detail, request_id: 'test' };
}

function refusal(upgrade: number | { readonly status: number; readonly detail: string }): string {
  const status = typeof upgrade === 'number' ? upgrade : upgrade.status;
  const body =
    typeof upgrade === 'number' ? '<html>' : JSON.stringify(problemBody(status, 'forbidden', upgrade.detail));
  return `HTTP/1.1 ${status} Refused\r\nServer: middlebox\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

/** What an operator's subcommands ask of a control plane: runs and kills that a test gives it, as lists and by watch sockets. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Kill, Run } from '#protocol/api';
import type { Brake } from '#protocol/brakes';
import { HEARTBEAT } from '#protocol/limits';
import { readViewerMessage, type ViewerMessage, WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { ApiClient } from '../../src/operator/api-client.ts';

export interface Refused {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

export interface PlaneSocket {
  readonly path: string;
  readonly socket: WebSocket;
}

export class OperatorPlane {
  readonly runs = new Map<string, Run>();
  readonly kills = new Map<string, Kill>();
  /** `GET /runs?state=running`, in the order of arrival. */
  readonly requests: string[] = [];
  readonly sockets = new Set<PlaneSocket>();
  /** Why a request is refused, if it is. */
  refuse: (request: string) => Refused | null = () => null;
  /** What a kill stores. */
  onKill: (body: unknown, path: string) => readonly Kill[] = () => [];
  readonly brakes: Brake[] = [];
  /** What `POST /brakes` answers. */
  onBrake: (body: unknown) => object = () => ({});
  onViewer: (message: ViewerMessage, socket: WebSocket) => void = () => {};
  readonly #server = http.createServer((request, response) => void this.#respond(request, response));
  readonly #webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => WATCH_SUBPROTOCOL });

  /** It is gone when the test is over. */
  static async start(): Promise<OperatorPlane> {
    const plane = new OperatorPlane();
    plane.#server.on('upgrade', (request, socket, head) => plane.#upgrade(request, socket, head));
    await new Promise<void>((resolve) => plane.#server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      plane.drop();
      plane.#server.closeAllConnections();
      plane.#server.close();
    });
    return plane;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  client(): ApiClient {
    const api = new ApiClient({
      settings: {
        url: new URL(this.url),
        token: { kind: 'value', token: 'secret' },
        tokenFrom: '$LEASH_TOKEN',
        caFile: null,
        proxyEnv: {},
      },
      version: '1.2.3',
    });
    onTestFinished(() => api.close());
    return api;
  }

  /** Stores runs, and reports them to who watches. */
  setRuns(...runs: readonly Run[]): void {
    for (const run of runs) {
      this.runs.set(run.id, run);
      this.send({ type: 'run', run });
    }
  }

  setKills(...kills: readonly Kill[]): void {
    for (const kill of kills) {
      this.kills.set(kill.id, kill);
      this.send({ type: 'kill', kill });
    }
  }

  /** To every viewer. */
  send(message: WatchMessage): void {
    for (const { socket } of this.sockets) socket.send(JSON.stringify(message));
  }

  /** Cuts every watch socket. */
  drop(): void {
    for (const { socket } of this.sockets) socket.terminate();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://plane');
    const path = url.pathname.replace('/api/v1', '');
    const name = `${request.method} ${path}${url.search}`;
    this.requests.push(name);
    const refused = this.refuse(name);
    if (refused !== null) {
      response.writeHead(refused.status, { 'Content-Type': 'application/problem+json' }).end(problemText(refused));
      return;
    }
    const body = request.method === 'POST' ? JSON.parse(await text(request)) : null;
    const found = this.#resource(path, url.searchParams, body);
    if (found === null) {
      const code = path.startsWith('/runs/') ? 'unknown_run' : 'unknown';
      response.writeHead(404).end(problemText({ status: 404, code, detail: 'unknown' }));
    } else response.writeHead(200).end(JSON.stringify(found));
  }

  #resource(path: string, query: URLSearchParams, body: unknown): object | null {
    const [, kind, name, rest] = path.split('/');
    if (kind === 'brakes') return body === null ? { brakes: this.brakes, next_cursor: null } : this.onBrake(body);
    if (body !== null) {
      const kills = this.onKill(body, path);
      for (const kill of kills) this.kills.set(kill.id, kill);
      return kind === 'kills' ? { kills } : { kill: kills[0] };
    }
    if (kind === 'jobs' && name !== undefined && rest === undefined) return jobOf(name, this.#listed(query));
    if (kind === 'kills' && name !== undefined) return { kill: this.kills.get(name) };
    if (kind === 'kills') return { kills: [...this.kills.values()], next_cursor: null };
    if (kind !== 'runs') return null;
    if (name === undefined) return { runs: this.#listed(query), next_cursor: null };
    const run = this.runs.get(name);
    return run === undefined ? null : { run };
  }

  #listed(query: URLSearchParams): Run[] {
    const states = query.get('state')?.split(',') ?? null;
    return [...this.runs.values()]
      .filter(
        (run) =>
          (states === null || states.includes(run.state)) &&
          (query.get('job') ?? run.job) === run.job &&
          (query.get('machine') ?? run.machine) === run.machine,
      )
      .sort((one, other) => (one.started_at < other.started_at ? 1 : -1));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = (request.url ?? '').replace('/api/v1', '');
    this.requests.push(`WATCH ${path}`);
    const refused = this.refuse(`WATCH ${path}`);
    if (refused !== null) {
      const body = problemText(refused);
      socket.end(
        `HTTP/1.1 ${refused.status} Refused\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const viewer = { path, socket: webSocket };
      this.sockets.add(viewer);
      webSocket.on('close', () => this.sockets.delete(viewer));
      webSocket.on('message', (data) => {
        const frame = data.toString();
        const read = readViewerMessage(frame);
        if (frame === HEARTBEAT) webSocket.send(HEARTBEAT);
        else if (read.kind === 'message') this.onViewer(read.message, webSocket);
      });
    });
  }
}

function problemText({ status, code, detail }: Refused): string {
  return JSON.stringify({ type: 'about:blank', title: code, status, code, detail });
}

function jobOf(name: string, runs: readonly Run[]): object | null {
  if (!runs.some(({ job }) => job === name)) return null;
  const job = { name, first_seen_at: '2026-01-31T03:00:00.000Z', running_count: 1, recent_ends: [], last_ends: [] };
  return { job };
}

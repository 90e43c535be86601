/** A scripted control plane: speaks leash.v1 by the protocol's own schemas, and misbehaves when it is told to. */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { decodeOutputFrame } from '#protocol/output-frame';
import {
  type Complete,
  type Gap,
  type Kill,
  type Killing,
  type ObjectMessage,
  readWrapperMessage,
  type Start,
  WRAPPER_SUBPROTOCOL,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import { waitFor } from '#testing/wait-for';

export interface Script {
  /** Answer the upgrade with this status instead. */
  refuse: number | null;
  /** Accept the TCP connection and never answer the upgrade. */
  hangUpgrade: boolean;
  ackStart: boolean;
  ackOutput: boolean;
  ackComplete: boolean;
  answerHeartbeats: boolean;
  flow: 'eager' | 'lazy';
  heartbeatMs: number;
  silenceMs: number;
  reconnectCapMs: number;
  /** Cut the connection when this many further bytes have been stored; then carry on as if nothing had been. */
  dropAfterBytes: number | null;
  /** Sent raw in answer to each start, after its ack. */
  afterStart: (string | Uint8Array)[];
}

export class ControlPlane {
  script: Script = {
    refuse: null,
    hangUpgrade: false,
    ackStart: true,
    ackOutput: true,
    ackComplete: true,
    answerHeartbeats: true,
    flow: 'eager',
    heartbeatMs: 200,
    silenceMs: 5_000,
    reconnectCapMs: 200,
    dropAfterBytes: null,
    afterStart: [],
  };
  readonly messages: WrapperMessage[] = [];
  /** Frames that broke the protocol: there must be none. */
  readonly violations: string[] = [];
  readonly requests: { url: string; authorization: string | undefined }[] = [];
  /** Set before `listen`: speaks TLS. */
  tls: https.ServerOptions | null = null;
  heartbeats = 0;
  attempts = 0;
  storedBytes = 0;
  #chunks: Buffer[] = [];
  /** How many bytes arrived that were stored already. */
  repeated = 0;
  /** The most bytes that were sent and not acked. */
  mostUnacked = 0;
  #unacked = 0;
  #port = 0;
  #server: http.Server | null = null;
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => WRAPPER_SUBPROTOCOL });
  #current: WebSocket | null = null;
  #raw = new Set<import('node:stream').Duplex>();

  get url(): string {
    return `${this.tls === null ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** What is stored: the bytes, with zeros in gaps. */
  get stored(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  /** Forgets all output, as a control plane does that was restored from nothing. */
  forgetOutput(): void {
    this.#chunks = [];
    this.storedBytes = 0;
  }

  get connected(): boolean {
    return this.#current !== null;
  }

  /** Listens; on the same port again after `stop`. */
  async listen(): Promise<this> {
    const server = this.tls === null ? http.createServer() : https.createServer(this.tls);
    server.on('tlsClientError', () => {});
    server.on('upgrade', (request, socket, head) => {
      this.attempts += 1;
      this.#raw.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#raw.delete(socket));
      const { refuse, hangUpgrade } = this.script;
      this.requests.push({ url: request.url ?? '', authorization: request.headers.authorization });
      if (hangUpgrade) return;
      if (refuse !== null) {
        const problem = {
          type: 'about:blank',
          title: 'No',
          status: refuse,
          code: 'no',
          detail: 'no\u001b[31m, really',
        };
        const body = JSON.stringify(problem);
        socket.end(
          `HTTP/1.1 ${refuse} No\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  /** Cuts every connection and stops listening. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.drop();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Cuts every connection without a word. */
  drop(): void {
    this.#current = null;
    for (const socket of this.#raw) socket.destroy();
  }

  send(message: ObjectMessage): void {
    this.sendRaw(JSON.stringify(message));
  }

  sendRaw(frame: string | Uint8Array): void {
    if (this.#current === null) throw new Error('no wrapper is connected');
    this.#current.send(frame);
  }

  close(code: number): void {
    this.#current?.close(code);
  }

  kill(command: string, kill: Partial<Kill> = {}): void {
    this.send({
      type: 'kill',
      command,
      signal: 'SIGTERM',
      grace_ms: 5_000,
      requested_by: 'tester',
      reason: null,
      ...kill,
    });
  }

  of<Type extends WrapperMessage['type']>(type: Type): Extract<WrapperMessage, { type: Type }>[] {
    return this.messages.filter((each): each is Extract<WrapperMessage, { type: Type }> => each.type === type);
  }

  phases(command: string | null): Killing['phase'][] {
    return this.of('killing').flatMap((each) => (each.command === command ? [each.phase] : []));
  }

  /** The first start that was received. */
  started(): Promise<Start> {
    return waitFor('a start', () => this.of('start')[0]);
  }

  completed(): Promise<Complete> {
    return waitFor('a completion', () => this.of('complete')[0]);
  }

  gaps(): Gap[] {
    return this.of('gap');
  }

  #accept(ws: WebSocket): void {
    this.#current = ws;
    ws.on('error', () => {});
    ws.on('close', () => {
      if (this.#current === ws) this.#current = null;
    });
    this.#unacked = 0;
    ws.on('message', (data: Buffer, isBinary) => {
      // What an old connection still held arrives after a drop; an object ignores it.
      if (this.#current !== ws) return;
      if (isBinary) this.#onOutput(ws, data);
      else this.#onText(ws, data.toString());
    });
  }

  #onText(ws: WebSocket, frame: string): void {
    if (frame === HEARTBEAT) {
      this.heartbeats += 1;
      if (this.script.answerHeartbeats) ws.send(HEARTBEAT);
      return;
    }
    const read = readWrapperMessage(frame);
    if (read.kind !== 'message') {
      this.violations.push(`${read.kind}: ${frame.slice(0, 200)}`);
      return;
    }
    this.messages.push(read.message);
    const say = (message: ObjectMessage) => ws.readyState === WebSocket.OPEN && ws.send(JSON.stringify(message));
    switch (read.message.type) {
      case 'start':
        this.#onStart(ws, say);
        return;
      case 'gap':
        if (read.message.from !== this.storedBytes) this.violations.push(`gap from ${read.message.from}`);
        this.#store(Buffer.alloc(read.message.to - read.message.from));
        if (this.script.ackOutput) say({ type: 'ack', of: 'output', offset: this.storedBytes });
        return;
      case 'complete':
        if (this.script.ackComplete) say({ type: 'ack', of: 'complete' });
        return;
      case 'killing':
      case 'alive':
        return;
    }
  }

  #onStart(ws: WebSocket, say: (message: ObjectMessage) => void): void {
    if (this.script.ackStart) {
      say({
        type: 'ack',
        of: 'start',
        offset: this.storedBytes,
        flow: this.script.flow,
        heartbeat_ms: this.script.heartbeatMs,
        silence_ms: this.script.silenceMs,
        reconnect_cap_ms: this.script.reconnectCapMs,
      });
    }
    for (const frame of this.script.afterStart) ws.send(frame);
  }

  #onOutput(ws: WebSocket, data: Buffer): void {
    const decoded = decodeOutputFrame(data);
    if (!decoded.ok) return void this.violations.push(decoded.message);
    const { start, bytes } = decoded.frame;
    if (start > this.storedBytes) return void this.violations.push(`output at ${start}, stored ${this.storedBytes}`);
    const overlap = this.storedBytes - start;
    const known = overlap > 0 ? this.stored.subarray(start, start + bytes.length) : Buffer.alloc(0);
    if (!known.equals(bytes.subarray(0, known.length))) this.violations.push(`other bytes at ${start}`);
    this.repeated += Math.min(overlap, bytes.length);
    this.#unacked += bytes.length;
    this.mostUnacked = Math.max(this.mostUnacked, this.#unacked);
    if (overlap < bytes.length) this.#store(bytes.subarray(overlap));
    if (!this.script.ackOutput) return;
    const { dropAfterBytes } = this.script;
    if (dropAfterBytes !== null && this.storedBytes >= dropAfterBytes) {
      this.script.dropAfterBytes = null;
      this.drop();
      return;
    }
    this.#unacked = 0;
    ws.send(JSON.stringify({ type: 'ack', of: 'output', offset: this.storedBytes }));
  }

  #store(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes));
    this.storedBytes += bytes.length;
  }
}

let commands = 0;

/** A new command id. */
export function newCommand(): string {
  commands += 1;
  return `01J${String(commands).padStart(23, '0')}`;
}

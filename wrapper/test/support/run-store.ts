/** A control plane that many runs talk to: keeps what each of them stores, as the job's object does, and nothing else. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { decodeOutputFrame, type StreamName } from '#protocol/output-frame';
import {
  type Complete,
  type Gap,
  type Killing,
  type ObjectMessage,
  readWrapperMessage,
  type Start,
  WRAPPER_SUBPROTOCOL,
} from '#protocol/wrapper-link';
import { waitFor } from '#testing/wait-for';

/** What is stored of one run. */
export class StoredRun {
  readonly id: string;
  readonly starts: Start[] = [];
  /** At most one: it is told anew on each connection, but never another. */
  readonly completions: Complete[] = [];
  readonly killings: Killing[] = [];
  readonly gaps: Pick<Gap, 'from' | 'to'>[] = [];
  readonly tokens = new Set<string>();
  readonly pieces: { readonly stream: StreamName; readonly start: number; readonly bytes: Buffer }[] = [];
  end = 0;
  socket: WebSocket | null = null;

  constructor(id: string) {
    this.id = id;
  }

  text(stream: StreamName): string {
    return this.bytes(stream).toString('latin1');
  }

  bytes(stream: StreamName): Buffer {
    return Buffer.concat(this.pieces.filter((each) => each.stream === stream).map(({ bytes }) => bytes));
  }

  /** Whether its wrapper died and all that was left of it is stored. */
  get isLost(): boolean {
    const last = this.starts.at(-1);
    return last?.phase === 'abandoned' && this.end >= last.output.to;
  }

  get isComplete(): boolean {
    const [first] = this.completions;
    return first !== undefined && this.end >= first.final_offset;
  }
}

export class RunStore {
  readonly runs = new Map<string, StoredRun>();
  /** Frames that broke the protocol: there must be none. */
  readonly violations: string[] = [];
  attempts = 0;
  /** Answers the upgrade of a request with this status instead; null: takes it. */
  refuse: (token: string) => number | null = () => null;
  ackOutput = true;
  ackComplete = true;
  /** Cuts a connection on which so many bytes have been stored. */
  dropEvery: number | null = null;
  /** Of these runs nothing is ever accepted. */
  readonly ignored = new Set<string>();
  #port = 0;
  #server: http.Server | null = null;
  readonly #raw = new Set<Duplex>();
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => WRAPPER_SUBPROTOCOL });

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens; on the same port again after `stop`. */
  async listen(): Promise<this> {
    const server = http.createServer();
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  /** Cuts every connection and stops listening. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.drop();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  drop(): void {
    for (const run of this.runs.values()) run.socket = null;
    for (const socket of this.#raw) socket.destroy();
  }

  /** Sends an operator's kill. */
  kill(run: StoredRun, command: string, graceMs: number): void {
    if (run.socket === null) throw new Error('the run is not connected');
    say(run.socket, {
      type: 'kill',
      command,
      signal: 'SIGTERM',
      grace_ms: graceMs,
      requested_by: 'tester',
      reason: null,
    });
  }

  /** The only run there is, once there is one. */
  run(): Promise<StoredRun> {
    return waitFor('a run at the control plane', () => [...this.runs.values()][0]);
  }

  #upgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    this.attempts += 1;
    this.#raw.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#raw.delete(socket));
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    const status = this.refuse(token);
    if (status !== null) {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const id = new URL(request.url ?? '/', this.url).searchParams.get('run') ?? '';
    const run = this.runs.get(id) ?? new StoredRun(id);
    this.runs.set(id, run);
    run.tokens.add(token);
    this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws, run));
  }

  #accept(ws: WebSocket, run: StoredRun): void {
    if (run.socket !== null) this.violations.push(`${run.id} is told by two at once`);
    run.socket = ws;
    let storedHere = 0;
    ws.on('error', () => {});
    ws.on('close', () => {
      if (run.socket === ws) run.socket = null;
    });
    ws.on('message', (data: Buffer, isBinary) => {
      if (run.socket !== ws) return;
      const before = run.end;
      if (isBinary) this.#onOutput(ws, run, data);
      else this.#onText(ws, run, data.toString());
      storedHere += run.end - before;
      if (this.dropEvery === null || storedHere < this.dropEvery) return;
      run.socket = null;
      ws.terminate();
    });
  }

  #onText(ws: WebSocket, run: StoredRun, frame: string): void {
    if (frame === HEARTBEAT) return void ws.send(HEARTBEAT);
    const read = readWrapperMessage(frame);
    if (read.kind !== 'message') return void this.violations.push(`${read.kind}: ${frame.slice(0, 200)}`);
    const { message } = read;
    switch (message.type) {
      case 'start':
        this.#onStart(ws, run, message);
        return;
      case 'gap':
        if (message.from !== run.end) this.violations.push(`gap from ${message.from}, stored ${run.end}`);
        run.gaps.push({ from: message.from, to: message.to });
        run.end = message.to;
        if (this.ackOutput) say(ws, { type: 'ack', of: 'output', offset: run.end });
        return;
      case 'complete': {
        const [first] = run.completions;
        if (first !== undefined && JSON.stringify(first) !== JSON.stringify(message)) {
          this.violations.push(`another completion: ${frame}`);
        }
        if (run.starts.some(({ phase }) => phase === 'abandoned')) this.violations.push('abandoned and completed');
        if (first === undefined) run.completions.push(message);
        if (this.ackComplete) say(ws, { type: 'ack', of: 'complete' });
        return;
      }
      case 'killing':
        run.killings.push(message);
        return;
      case 'alive':
        return;
    }
  }

  #onStart(ws: WebSocket, run: StoredRun, start: Start): void {
    const [first] = run.starts;
    if (start.run !== run.id) this.violations.push(`${run.id} says it is ${start.run}`);
    if (first !== undefined && first.run_key !== start.run_key) this.violations.push(`${run.id} has two keys`);
    run.starts.push(start);
    if (this.ignored.has(run.id)) return;
    say(ws, {
      type: 'ack',
      of: 'start',
      offset: run.end,
      flow: 'eager',
      heartbeat_ms: 200,
      silence_ms: 10_000,
      reconnect_cap_ms: 200,
    });
  }

  #onOutput(ws: WebSocket, run: StoredRun, data: Buffer): void {
    const decoded = decodeOutputFrame(data);
    if (!decoded.ok) return void this.violations.push(decoded.message);
    const { stream, start, bytes } = decoded.frame;
    if (start > run.end) return void this.violations.push(`output at ${start}, stored ${run.end}`);
    const fresh = Buffer.from(bytes.subarray(run.end - start));
    if (fresh.length > 0) {
      run.pieces.push({ stream, start: run.end, bytes: fresh });
      run.end += fresh.length;
    }
    if (this.ackOutput) say(ws, { type: 'ack', of: 'output', offset: run.end });
  }
}

function say(ws: WebSocket, message: ObjectMessage): void {
  if (ws.readyState === WebSocket.OPEN) ws.send(JSON.stringify(message));
}

/** One that is gone, and was never told nonsense, when the test is over. */
export async function runStore(): Promise<RunStore> {
  const store = await new RunStore().listen();
  onTestFinished(async () => {
    await store.stop();
    expect(store.violations).toEqual([]);
  });
  return store;
}

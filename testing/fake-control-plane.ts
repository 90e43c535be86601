/**
 * The control plane as wrappers see it: what is stored of each run (`stored-run.ts`), behind a server on this machine. It
 * does what the protocol says, and misbehaves where its script says so.
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Answer } from '#protocol/admission';
import { CLOSE_CODES } from '#protocol/close-codes';
import { HEARTBEAT } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { Problem } from '#protocol/problem';
import {
  type Complete,
  type Gap,
  type Killing,
  type KillMessage,
  type ObjectMessage,
  readObjectMessage,
  type Start,
  WRAPPER_SUBPROTOCOL,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import { FakeRun, type MessageOf } from '#testing/fake-run';
import {
  type LinkTerms,
  type Reaction,
  readFrame,
  receiveMessage,
  receiveOutput,
  requestKill,
} from '#testing/stored-run';
import { waitFor } from '#testing/wait-for';

export interface Script {
  /** Responds to the upgrade with this status; null accepts it. */
  refuse: number | null | ((token: string) => number | null);
  /** Accepts the TCP connection and never answers the upgrade. */
  hangUpgrade: boolean;
  /** Whether a start is acked, for each run or by its id. */
  ackStart: boolean | ((run: string) => boolean);
  ackOutput: boolean;
  ackComplete: boolean;
  answerHeartbeats: boolean;
  flow: LinkTerms['flow'];
  heartbeatMs: number;
  /** Long, so that no wrapper disconnects because this machine is busy. */
  silenceMs: number;
  reconnectCapMs: number;
  /** How many bytes of a run's output it says that it keeps; null: it doesn't say. */
  outputLimitBytes: number | null;
  /** Cuts each connection after storing this many bytes from it, without an ack of the last of them. */
  cutEveryBytes: number | null;
  /** The answer to each run that asks before its start; null: none. */
  answer: Partial<Answer> | null;
  /** Whether it knows the phase in which a run asks: an older control plane doesn't. */
  knowsWaiting: boolean;
  /** Sent unchanged after the ack of each start. */
  afterStart: readonly (string | Uint8Array)[];
}

export interface FakeControlPlaneOptions {
  /** Its certificate and key; without them, it serves plain HTTP. */
  readonly tls?: https.ServerOptions;
  /** Whether the bytes of the output are kept as well. */
  readonly keepsOutput?: boolean;
}

/** What a request for a link carried. */
export interface ConnectRequest {
  readonly url: string;
  readonly authorization: string | undefined;
  /** When it arrived (performance.now()). */
  readonly at: number;
}

export class FakeControlPlane {
  script: Script = {
    refuse: null,
    hangUpgrade: false,
    ackStart: true,
    ackOutput: true,
    ackComplete: true,
    answerHeartbeats: true,
    flow: 'eager',
    heartbeatMs: 200,
    silenceMs: 300_000,
    reconnectCapMs: 200,
    outputLimitBytes: null,
    cutEveryBytes: null,
    answer: null,
    knowsWaiting: true,
    afterStart: [],
  };
  /** By id, in the order of arrival. */
  readonly runs = new Map<string, FakeRun>();
  /** Of all runs, in the order of arrival. */
  readonly messages: WrapperMessage[] = [];
  /** Violations of the protocol; a test expects none. */
  readonly violations: string[] = [];
  readonly requests: ConnectRequest[] = [];
  heartbeats = 0;
  /** The most bytes that were received on a connection and not acked. */
  mostUnacked = 0;
  readonly #tls: https.ServerOptions | null;
  readonly #keepsOutput: boolean;
  #port = 0;
  #server: http.Server | null = null;
  readonly #connections = new Set<Duplex>();
  readonly #webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => WRAPPER_SUBPROTOCOL });
  #newest: FakeRun | null = null;

  constructor({ tls, keepsOutput = true }: FakeControlPlaneOptions = {}) {
    this.#tls = tls ?? null;
    this.#keepsOutput = keepsOutput;
  }

  get url(): string {
    return `${this.#tls === null ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens; on the same port again after `stop`. */
  async listen(): Promise<this> {
    const server = this.#tls === null ? http.createServer() : https.createServer(this.#tls);
    server.on('tlsClientError', () => {
      // A client that doesn't trust the certificate reports that itself.
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
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

  /** Cuts every connection without a close. What they still held is ignored. */
  drop(): void {
    for (const run of this.runs.values()) run.socket = null;
    for (const socket of this.#connections) socket.destroy();
  }

  /** The run that connected last. */
  get #run(): FakeRun {
    if (this.#newest === null) throw new Error('no wrapper has connected');
    return this.#newest;
  }

  /** Whether the run that connected last is still connected. */
  get connected(): boolean {
    return this.#newest?.socket?.readyState === WebSocket.OPEN;
  }

  /** How often a link was requested. */
  get attempts(): number {
    return this.requests.length;
  }

  /** Sends to the run that connected last. */
  send(message: ObjectMessage): void {
    this.sendRaw(JSON.stringify(message));
  }

  /** The same for any message. */
  sendRaw(frame: string | Uint8Array): void {
    if (this.#newest?.socket == null) throw new Error('no wrapper is connected');
    this.#transmit(this.#newest, this.#newest.socket, frame);
  }

  /** The same without a check of the message: for very many. */
  sendUnseen(frame: string | Uint8Array): void {
    this.#newest?.socket?.send(frame);
  }

  /** Pings the run that connected last. */
  ping(): void {
    this.#newest?.socket?.ping();
  }

  /** Closes the connection of the run that connected last. */
  close(code: number): void {
    this.#newest?.socket?.close(code);
  }

  /** Stops reading from the run that connected last. */
  pauseReading(): void {
    this.#run.socket?.pause();
  }

  /** Sends an operator's kill to the run that connected last. */
  kill(id: string, fields: Partial<KillMessage> = {}): void {
    this.send({
      type: 'kill',
      kill: id,
      signal: 'SIGTERM',
      grace_ms: 5_000,
      include: null,
      requested_by: 'tester',
      reason: null,
      ...fields,
    });
  }

  /** Answers the run that connected last, or another one, which has asked before its start. */
  answer(fields: Partial<Answer>, run = this.#run): void {
    const answer: Answer = {
      type: 'answer',
      decision: 'start',
      reason: null,
      detail: null,
      blocked_by: [],
      fence: null,
    };
    if (run.socket !== null) this.#transmit(run, run.socket, JSON.stringify({ ...answer, ...fields }));
  }

  /** What is stored of all runs, in the order of arrival, with zeros in gaps. */
  get stored(): Buffer {
    const outputs = [...this.runs.values()].map(({ output }) => output);
    return outputs[0] !== undefined && outputs.length === 1 ? outputs[0] : Buffer.concat(outputs);
  }

  get storedBytes(): number {
    return [...this.runs.values()].reduce((sum, { end }) => sum + end, 0);
  }

  /** Deletes all output, like a control plane whose storage was lost. */
  forgetOutput(): void {
    for (const run of this.runs.values()) run.forgetOutput();
  }

  of<Type extends WrapperMessage['type']>(type: Type): MessageOf<Type>[] {
    return this.messages.filter((each): each is MessageOf<Type> => each.type === type);
  }

  phases(kill: string | null): Killing['phase'][] {
    return this.of('killing').flatMap((each) => (each.kill === kill ? [each.phase] : []));
  }

  gaps(): Gap[] {
    return this.of('gap');
  }

  /** The first run, once there is one. */
  run(): Promise<FakeRun> {
    return waitFor('a run at the control plane', () => this.runs.values().next().value);
  }

  /** The first start that was received. */
  started(): Promise<Start> {
    return waitFor('a start', () => this.of('start')[0]);
  }

  completed(): Promise<Complete> {
    return waitFor('a completion', () => this.of('complete')[0]);
  }

  #upgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    // Accepted before `stop`, with an upgrade requested only now: the server's `close` would wait for its end.
    if (this.#server === null) return void socket.destroy();
    this.#connections.add(socket);
    socket.on('error', () => {
      // 'close' reports its end.
    });
    socket.on('close', () => this.#connections.delete(socket));
    const { url = '/', headers } = request;
    this.requests.push({ url, authorization: headers.authorization, at: performance.now() });
    const { refuse, hangUpgrade } = this.script;
    if (hangUpgrade) return;
    const token = (headers.authorization ?? '').replace('Bearer ', '');
    const status = typeof refuse === 'function' ? refuse(token) : refuse;
    if (status !== null) return void socket.end(refusal(status));
    const id = new URL(url, this.url).searchParams.get('run') ?? '';
    const run = this.runs.get(id) ?? new FakeRun(id);
    this.runs.set(id, run);
    run.tokens.add(token);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, run));
  }

  #accept(socket: WebSocket, run: FakeRun): void {
    this.#newest = run;
    run.socket?.close(CLOSE_CODES.superseded);
    run.socket = socket;
    const connection = { hasStarted: false, storedBytes: 0, unackedBytes: 0 };
    socket.on('error', () => {
      // 'close' reports its end.
    });
    socket.on('close', () => {
      if (run.socket === socket) run.socket = null;
    });
    socket.on('message', (data: Buffer, isBinary) => {
      // What an earlier connection still held is ignored.
      if (run.socket === socket) this.#receive(run, socket, connection, isBinary ? data : data.toString());
    });
  }

  #receive(run: FakeRun, socket: WebSocket, connection: ConnectionState, frame: string | Uint8Array): void {
    const read = readFrame(frame);
    switch (read.kind) {
      case 'fault':
        this.violations.push(read.fault);
        return;
      case 'heartbeat':
        this.heartbeats += 1;
        if (this.script.answerHeartbeats) socket.send(HEARTBEAT);
        return;
      case 'output':
        this.#receiveOutput(run, socket, connection, read.output);
        return;
      case 'message':
        this.#receiveMessage(run, socket, connection, read.message);
        return;
    }
  }

  #receiveMessage(run: FakeRun, socket: WebSocket, connection: ConnectionState, message: WrapperMessage): void {
    this.messages.push(message);
    run.messages.push(message);
    const isStart = message.type === 'start';
    if (isStart && message.phase === 'waiting' && !this.script.knowsWaiting) {
      this.#transmit(run, socket, JSON.stringify(UNKNOWN_PHASE));
      return;
    }
    if (isStart) {
      connection.hasStarted = true;
      if (message.run !== run.id) this.violations.push(`${run.id} says that it is ${message.run}`);
    } else if (!connection.hasStarted) {
      this.violations.push(`${message.type} before the start`);
    }
    this.#answer(run, socket, receiveMessage(run.stored, message, this.#terms));
    const { answer } = this.script;
    if (isStart && message.phase === 'waiting' && answer !== null) this.answer(answer, run);
    if (isStart) for (const each of this.script.afterStart) this.#transmit(run, socket, each);
  }

  #receiveOutput(run: FakeRun, socket: WebSocket, connection: ConnectionState, output: OutputFrame): void {
    if (!connection.hasStarted) this.violations.push('output before the start');
    const storedBefore = run.end;
    if (this.#keepsOutput && !isRepeatedRight(run, output)) this.violations.push(`other bytes at ${output.start}`);
    const reaction = receiveOutput(run.stored, output);
    connection.storedBytes += reaction.run.outputEnd - storedBefore;
    connection.unackedBytes += output.bytes.length;
    this.mostUnacked = Math.max(this.mostUnacked, connection.unackedBytes);
    if (this.script.ackOutput) connection.unackedBytes = 0;
    const { cutEveryBytes } = this.script;
    const isCut = cutEveryBytes !== null && connection.storedBytes >= cutEveryBytes;
    if (isCut) {
      run.socket = null;
      socket.terminate();
    }
    this.#answer(run, socket, reaction);
  }

  #answer(run: FakeRun, socket: WebSocket, { run: stored, answers, newOutput, faults }: Reaction): void {
    run.stored = stored;
    if (newOutput !== null && this.#keepsOutput) run.keep(newOutput);
    this.violations.push(...faults);
    for (const answer of answers) {
      if (answer.type === 'error') this.violations.push(`${answer.code}: ${answer.message}`);
      if (this.#isToBeSent(run, answer)) this.#transmit(run, socket, JSON.stringify(answer));
    }
  }

  #isToBeSent({ id }: FakeRun, answer: ObjectMessage): boolean {
    if (answer.type !== 'ack') return true;
    const { ackStart, ackOutput, ackComplete } = this.script;
    switch (answer.of) {
      case 'start':
        return typeof ackStart === 'function' ? ackStart(id) : ackStart;
      case 'output':
        return ackOutput;
      case 'complete':
        return ackComplete;
    }
  }

  #transmit(run: FakeRun, socket: WebSocket, frame: string | Uint8Array): void {
    // A kill is stored before it is sent, even one that a test made up.
    const read = typeof frame === 'string' && frame !== HEARTBEAT ? readObjectMessage(frame) : null;
    if (read?.kind === 'message' && read.message.type === 'kill') run.stored = requestKill(run.stored, read.message);
    if (socket.readyState === WebSocket.OPEN) socket.send(frame);
  }

  get #terms(): LinkTerms {
    const { flow, heartbeatMs, silenceMs, reconnectCapMs, outputLimitBytes } = this.script;
    return {
      flow,
      heartbeat_ms: heartbeatMs,
      silence_ms: silenceMs,
      reconnect_cap_ms: reconnectCapMs,
      ...(outputLimitBytes === null ? {} : { output_limit_bytes: outputLimitBytes }),
    };
  }
}

/** What an older control plane says to a `start` with the phase `waiting`. */
const UNKNOWN_PHASE: ObjectMessage = {
  type: 'error',
  code: 'bad_frame',
  message: 'start: phase: Invalid type',
  retry: null,
};

interface ConnectionState {
  hasStarted: boolean;
  storedBytes: number;
  unackedBytes: number;
}

/** Whether repeated output equals what was sent before. */
function isRepeatedRight(run: FakeRun, { start, bytes }: OutputFrame): boolean {
  if (start >= run.end) return true;
  const known = run.output.subarray(start, start + bytes.length);
  return known.equals(bytes.subarray(0, known.length));
}

/** The response to a refused upgrade; its detail holds an escape sequence. */
function refusal(status: number): string {
  const problem: Problem = {
    type: 'about:blank',
    title: 'No',
    status,
    code: 'no',
    detail: 'no\u001b[31m, really',
  };
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${status} No\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}`;
  return `${head}\r\n\r\n${body}`;
}

let kills = 0;

/** The id of a new kill. */
export function newKillId(): string {
  kills += 1;
  return `01J${String(kills).padStart(23, '0')}`;
}

/** A watch link that heals itself: it is opened again, with growing pauses, until it is closed or refused. */
import type { IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import WebSocket from 'ws';
import { CLOSE_CODES } from '#protocol/close-codes';
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS, MIB, RECONNECT_CAP_MS, WRAPPER_SILENCE_MS } from '#protocol/limits';
import { decodeOutputFrame, type OutputFrame } from '#protocol/output-frame';
import type { Problem } from '#protocol/problem';
import { readWatchMessage, type ViewerMessage, WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { backoffMs } from '#shared/backoff';
import { readProblem } from '../../http/problem-response.ts';
import { routeTo } from '../../http/proxy.ts';
import { Refusal } from '../../http/refusal.ts';
import { openTransport } from '../../http/transport.ts';
import { describeError } from '../../logging/log.ts';

const OPEN_TIMEOUT_MS = 15_000;
const FIRST_PAUSE_MS = 500;
/** As many failed attempts make about the longest pause. */
const SLOWED_DOWN = 5;
/** A kill with very many targets is a large message. */
const MAX_FRAME_BYTES = 16 * MIB;

/** Where a link goes, and with which rights. */
export interface WatchAddress {
  /** `ws:` or `wss:`. */
  readonly url: URL;
  /** Read for each attempt, so that it can be replaced meanwhile. */
  readonly token: () => Promise<string>;
  readonly caFile: string | null;
  /** Environment variables, of which those that name proxies are used. */
  readonly proxyEnv: Readonly<Record<string, string | undefined>>;
}

/** Why the control plane doesn't let this link in: asking again soon is useless. */
export interface WatchRefusal {
  /** The status of the response; null if there was none. */
  readonly status: number | null;
  readonly why: string;
}

export interface WatchHandlers {
  /** Connected, for the first time or again: what was missed has to be fetched now. */
  opened(): void;
  /** @param text as it was received: it may have more fields */
  message(message: WatchMessage, text: string): void;
  output?(frame: OutputFrame): void;
  /** The link is down, and is being opened again. */
  down(why: string): void;
  /** Called once, last. */
  refused(refusal: WatchRefusal): void;
}

export class WatchLink {
  readonly #address: WatchAddress;
  readonly #handlers: WatchHandlers;
  #socket: WebSocket | null = null;
  /** Of the attempt that is in progress, or of the open socket. */
  #attempt = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  #failures = 0;
  #isClosed = false;

  constructor(address: WatchAddress, handlers: WatchHandlers) {
    this.#address = address;
    this.#handlers = handlers;
    void this.#open();
  }

  /** Sends if the link is up. @returns whether it is */
  send(message: ViewerMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message), ignoreSendError);
    return true;
  }

  /** Reads nothing more until `resume`: the reader of the output is slow. */
  pause(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.pause();
  }

  resume(): void {
    this.#heardAt = performance.now();
    this.#socket?.resume();
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #open(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#timer = setTimeout(
      () => this.#lost(`timed out after ${OPEN_TIMEOUT_MS / 1_000} s opening the WebSocket`),
      OPEN_TIMEOUT_MS,
    );
    const { url, caFile, proxyEnv } = this.#address;
    try {
      const token = await this.#address.token();
      const route = routeTo(url, proxyEnv);
      const transport = await openTransport(url, route, caFile, { signal: attempt.signal, onStep: () => {} });
      if (attempt.signal.aborted) transport.destroy();
      else this.#upgrade(url, token, transport);
    } catch (error) {
      if (attempt.signal.aborted) return;
      if (error instanceof Refusal) this.#refuse({ status: null, why: describeError(error) });
      else this.#lost(describeError(error));
    }
  }

  #upgrade(url: URL, token: string, transport: Duplex): void {
    const socket = new WebSocket(url, [WATCH_SUBPROTOCOL], {
      headers: { Authorization: `Bearer ${token}` },
      createConnection: () => transport,
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#socket = socket;
    let why = 'the connection was closed';
    const isCurrent = () => this.#socket === socket;
    socket.on('open', () => {
      if (isCurrent()) this.#opened();
    });
    socket.on('message', (data, isBinary) => {
      if (isCurrent() && Buffer.isBuffer(data)) this.#received(data, isBinary);
    });
    socket.on('unexpected-response', (_request, response) => {
      readProblem(response, (problem) => {
        if (isCurrent()) this.#answered(response, problem);
      });
    });
    socket.on('error', (error) => {
      why = describeError(error);
    });
    socket.on('close', (code) => {
      if (!isCurrent()) return;
      // To come back at once would bring the same flood.
      if (code === CLOSE_CODES.behind) this.#failures = Math.max(this.#failures, SLOWED_DOWN);
      this.#lost(why);
    });
  }

  #opened(): void {
    clearTimeout(this.#timer);
    this.#heardAt = performance.now();
    this.#timer = setInterval(() => this.#beat(), HEARTBEAT_INTERVAL_MS);
    this.#handlers.opened();
  }

  #beat(): void {
    const socket = this.#socket;
    if (socket === null || socket.isPaused) return;
    if (performance.now() - this.#heardAt >= WRAPPER_SILENCE_MS) this.#lost('the control plane does not respond');
    else socket.send(HEARTBEAT, ignoreSendError);
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.#heardAt = performance.now();
    this.#failures = 0;
    if (isBinary) {
      const decoded = decodeOutputFrame(data);
      if (decoded.ok) this.#handlers.output?.(decoded.frame);
      return;
    }
    const text = data.toString();
    if (text === HEARTBEAT) return;
    const read = readWatchMessage(text);
    // A newer control plane may send unknown types: they are ignored.
    if (read.kind !== 'message') return;
    if (read.message.type === 'ping') this.send({ type: 'pong', sent: read.message.sent });
    else this.#handlers.message(read.message, text);
  }

  /** The response to the upgrade was another than 101. */
  #answered({ statusCode: status = 0 }: IncomingMessage, problem: Problem | null): void {
    const why = problem?.detail ?? `the control plane responded with status ${status}`;
    const isPassing = status >= 500 || status === 408 || status === 425 || status === 429;
    if (isPassing) this.#lost(why);
    else this.#refuse({ status, why });
  }

  #refuse(refusal: WatchRefusal): void {
    this.close();
    this.#handlers.refused(refusal);
  }

  #lost(why: string): void {
    this.#drop();
    if (this.#isClosed) return;
    this.#handlers.down(why);
    this.#failures += 1;
    this.#timer = setTimeout(() => void this.#open(), backoffMs(this.#failures - 1, FIRST_PAUSE_MS, RECONNECT_CAP_MS));
  }

  /** Lets the socket go at once: a dead one may take its time to say that it is closed. */
  #drop(): void {
    clearTimeout(this.#timer);
    this.#attempt.abort();
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }
}

/** The socket also emits `error` and `close`. */
function ignoreSendError(): void {}

/** A watch link that heals itself: it is dialled again, with growing pauses, for as long as anyone wants it. */

import { CLOSE_CODES } from '#protocol/close-codes';
import { HEARTBEAT, RECONNECT_CAP_MS } from '#protocol/limits';
import { decodeOutputFrame, type OutputFrame } from '#protocol/output-frame';
import { readWatchMessage, type ViewerMessage, WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { backoffMs } from '#shared/backoff';
import { HEARTBEAT_MS, Heartbeat } from './heartbeat.ts';
import { showJson } from './shown-json.ts';

export const FIRST_PAUSE_MS = 1_000;
/** As many failed attempts make about the longest pause. */
const SLOWED_DOWN = 5;

export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  /** Down since then, for now. */
  | { readonly kind: 'down'; readonly since: number };

export interface WatchHandlers {
  /** Connected, for the first time or again: whatever was missed has to be fetched now. */
  opened(): void;
  message(message: WatchMessage): void;
  output?(frame: OutputFrame): void;
  state(state: LinkState): void;
  /** Not even the door opened. The reason can't be seen from here: perhaps the session is over. */
  refused(): void;
}

export interface WatchSocket {
  /** Sends if the link is up; says whether it did. */
  send(message: ViewerMessage): boolean;
  close(): void;
}

export function openWatch(path: string, handlers: WatchHandlers): WatchSocket {
  const watch = new Watch(watchUrl(path), handlers);
  watch.dial();
  return watch;
}

function watchUrl(path: string): string {
  const url = new URL(`/api/v1${path}`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

class Watch implements WatchSocket {
  readonly #url: string;
  readonly #handlers: WatchHandlers;
  readonly #wake = () => this.#onWake();
  #socket: WebSocket | null = null;
  #heart = new Heartbeat(0);
  #failures = 0;
  #downSince: number | null = null;
  #beatTimer: ReturnType<typeof setInterval> | undefined;
  #dialTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(url: string, handlers: WatchHandlers) {
    this.#url = url;
    this.#handlers = handlers;
    addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
  }

  dial(): void {
    clearTimeout(this.#dialTimer);
    this.#dialTimer = undefined;
    const socket = new WebSocket(this.#url, WATCH_SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#heart = new Heartbeat(Date.now());
    if (this.#downSince === null) this.#handlers.state({ kind: 'connecting' });
    let opened = false;
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      opened = true;
      this.#downSince = null;
      this.#heart.heard(Date.now());
      this.#handlers.state({ kind: 'open' });
      this.#handlers.opened();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (this.#socket === socket) this.#received(event.data);
    };
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      if (!opened) this.#handlers.refused();
      // To come back at once would bring the same flood.
      if (code === CLOSE_CODES.behind) this.#failures = Math.max(this.#failures, SLOWED_DOWN);
      this.#lost();
    };
    clearInterval(this.#beatTimer);
    this.#beatTimer = setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  send(message: ViewerMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  close(): void {
    this.#closed = true;
    removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
    clearTimeout(this.#dialTimer);
    this.#drop();
  }

  #received(data: unknown): void {
    this.#heart.heard(Date.now());
    this.#failures = 0;
    if (data === HEARTBEAT) return;
    if (typeof data === 'string') {
      const read = readWatchMessage(showJson(data));
      // A newer control plane may send unknown types: they are ignored.
      if (read.kind === 'message') this.#hear(read.message);
      else if (read.kind === 'malformed') console.warn(`watch: ${read.message}`);
    } else if (data instanceof ArrayBuffer) {
      const decoded = decodeOutputFrame(data);
      if (decoded.ok) this.#handlers.output?.(decoded.frame);
      else console.warn(`watch: ${decoded.message}`);
    }
  }

  /** Who reads late is asked late: so the control plane sees how far this page has come. */
  #hear(message: WatchMessage): void {
    if (message.type === 'ping') this.send({ type: 'pong', sent: message.sent });
    else this.#handlers.message(message);
  }

  #beat(): void {
    if (this.#heart.beat(Date.now()) === 'dead') this.#lost();
    else if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(HEARTBEAT);
  }

  /** The network or the reader is back: don't sit out the pause. */
  #onWake(): void {
    if (document.visibilityState === 'hidden') return;
    if (this.#dialTimer !== undefined) this.dial();
    else this.#beat();
  }

  #lost(): void {
    this.#drop();
    if (this.#closed) return;
    this.#downSince ??= Date.now();
    this.#handlers.state({ kind: 'down', since: this.#downSince });
    this.#failures += 1;
    this.#dialTimer = setTimeout(() => this.dial(), backoffMs(this.#failures - 1, FIRST_PAUSE_MS, RECONNECT_CAP_MS));
  }

  /** Lets the socket go at once: a dead one may take its time to say that it is closed. */
  #drop(): void {
    clearInterval(this.#beatTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null && socket.readyState <= WebSocket.OPEN) socket.close();
  }
}

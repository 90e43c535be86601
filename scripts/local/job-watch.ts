/**
 * Follows one job over its watch socket, as the page does: runs as they change, and one run's events and output. Or all
 * jobs, with their runs and kills alone.
 */
import { WebSocket } from 'ws';
import type { Kill, Run, RunEvent } from '#protocol/api';
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS } from '#protocol/limits';
import { decodeOutputFrame, type OutputFrame } from '#protocol/output-frame';
import { readWatchMessage, WATCH_SUBPROTOCOL } from '#protocol/watch-link';

export interface JobWatchHandlers {
  run?(run: Run): void;
  event?(run: string, event: RunEvent): void;
  output?(frame: OutputFrame): void;
  kill?(kill: Kill): void;
}

const HANDSHAKE_TIMEOUT_MS = 5_000;

export class JobWatch {
  readonly #socket: WebSocket;
  #subscribed: string | null = null;

  private constructor(socket: WebSocket, handlers: JobWatchHandlers) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      // With ws's default binaryType every message is one Buffer.
      const bytes = data as Buffer;
      if (isBinary) this.#receiveOutput(bytes, handlers);
      else this.#receiveText(bytes.toString(), handlers);
    });
    socket.once('open', () => {
      const beat = setInterval(() => socket.send(HEARTBEAT), HEARTBEAT_INTERVAL_MS).unref();
      socket.once('close', () => clearInterval(beat));
    });
  }

  /** @param job null for all jobs that the token may read */
  static open(url: string, token: string, job: string | null, handlers: JobWatchHandlers): Promise<JobWatch> {
    const path = job === null ? '/watch' : `/jobs/${job}/watch`;
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v1${path}`, WATCH_SUBPROTOCOL, {
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      perMessageDeflate: false,
    });
    const watch = new JobWatch(socket, handlers);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(watch));
      // After the opening a broken link shows in what doesn't arrive; the listener must stay all the same.
      socket.on('error', reject);
    });
  }

  /** From now on the run's events, and its output from `offset`. */
  subscribe(run: string, offset = 0): void {
    this.#subscribed = run;
    this.#socket.send(JSON.stringify({ type: 'subscribe', run, offset }));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  close(): void {
    this.#socket.terminate();
  }

  #receiveOutput(bytes: Buffer, handlers: JobWatchHandlers): void {
    const decoded = decodeOutputFrame(bytes);
    if (!decoded.ok) throw new Error(`the control plane sent a frame that can't be read: ${decoded.message}`);
    handlers.output?.(decoded.frame);
    const offset = decoded.frame.start + decoded.frame.bytes.length;
    this.#socket.send(JSON.stringify({ type: 'ack', run: this.#subscribed, offset }));
  }

  #receiveText(text: string, handlers: JobWatchHandlers): void {
    if (text === HEARTBEAT) return;
    const frame = readWatchMessage(text);
    if (frame.kind === 'malformed') throw new Error(`the control plane sent what can't be read: ${frame.message}`);
    // An unknown type comes from a newer control plane: nothing for us.
    if (frame.kind !== 'message') return;
    const { message } = frame;
    if (message.type === 'ping') this.#socket.send(JSON.stringify({ type: 'pong', sent: message.sent }));
    if (message.type === 'run') handlers.run?.(message.run);
    if (message.type === 'event') handlers.event?.(message.run, message.event);
    if (message.type === 'kill') handlers.kill?.(message.kill);
  }
}

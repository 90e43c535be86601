/** Many wrappers in one process: they connect, say `start`, dial again as wrappers do, and end at once when killed. */
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS } from '#protocol/limits';
import type { Problem } from '#protocol/problem';
import {
  DISCONNECTED_HEADER,
  readObjectMessage,
  WRAPPER_SUBPROTOCOL,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import { backoffMs } from '#shared/backoff';
import { completeMessage, killingMessage, newRunKey, startMessage } from '#testing/wrapper-messages';
import type { CrowdRequest, Wrapper, WrapperReport } from './crowd-messages.ts';

/** As long as a wrapper waits. */
const HANDSHAKE_TIMEOUT_MS = 15_000;
const RECONNECT_BASE_MS = 1_000;
const RECONNECT_CAP_MS = 10_000;
const BUSY_JITTER = 0.1;

const played = new Set<PlayedWrapper>();

process.on('message', (request: CrowdRequest) => {
  if (request.type === 'reconnect') {
    for (const wrapper of played) wrapper.breakLink();
    return;
  }
  request.wrappers.forEach((wrapper, index) => {
    const token = request.tokens[index % request.tokens.length] ?? '';
    const player = new PlayedWrapper(request.url, token, wrapper);
    played.add(player);
    void player.play().then(() => played.delete(player));
  });
});
process.once('disconnect', () => process.exit(0));

class PlayedWrapper {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #run: string;
  readonly #key = newRunKey();
  #socket: WebSocket | null = null;
  #hasEnded = false;
  #isBreaking = false;
  #failures = 0;
  /** When its link broke; null before it first had one. */
  #brokeAt: number | null = null;

  constructor(url: string, token: string, { job, run, machine }: Wrapper) {
    const query = new URLSearchParams({ run, instance: 'thundering-herd', machine });
    this.#url = `${url.replace(/^http/, 'ws')}/api/v1/jobs/${job}/connect?${query}`;
    this.#headers = { authorization: `Bearer ${token}` };
    this.#run = run;
  }

  /** Dials until the run has ended, with the pauses of a real wrapper. */
  async play(): Promise<void> {
    for (;;) {
      const { reason, pauseMs } = await this.#connection();
      if (this.#hasEnded) return;
      if (pauseMs !== null) {
        // The control plane is busy: no failure.
        await sleep(pauseMs * (1 + BUSY_JITTER * Math.random()));
        continue;
      }
      if (this.#isBreaking) this.#isBreaking = false;
      else report({ type: 'failed', run: this.#run, reason });
      await sleep(backoffMs(this.#failures, RECONNECT_BASE_MS, RECONNECT_CAP_MS));
      this.#failures += 1;
    }
  }

  breakLink(): void {
    this.#isBreaking = this.#socket?.readyState === WebSocket.OPEN;
    this.#socket?.terminate();
  }

  /** Resolves at its end. */
  #connection(): Promise<{ readonly reason: string; readonly pauseMs: number | null }> {
    const socket = new WebSocket(this.#url, WRAPPER_SUBPROTOCOL, {
      headers: {
        ...this.#headers,
        ...(this.#brokeAt !== null && { [DISCONNECTED_HEADER]: String(Date.now() - this.#brokeAt) }),
      },
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#socket = socket;
    let reason = 'closed';
    let pauseMs: number | null = null;
    let hasStarted = false;
    const beats = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) socket.send(HEARTBEAT);
    }, HEARTBEAT_INTERVAL_MS);
    socket.on('open', () => this.#say(startOf(this.#run, this.#key)));
    socket.on('message', (data: Buffer) => {
      hasStarted = true;
      this.#receive(data.toString());
    });
    socket.on('unexpected-response', async (request, response: IncomingMessage) => {
      reason = `HTTP ${response.statusCode}`;
      pauseMs = (await problemOf(response)).retry_after_ms ?? null;
      request.destroy();
    });
    socket.on('error', (error) => {
      if (reason === 'closed') reason = error.message;
    });
    return new Promise((resolve) => {
      socket.on('close', (code) => {
        clearInterval(beats);
        if (hasStarted) this.#brokeAt = Date.now();
        resolve({ reason: `${code} ${reason}`, pauseMs });
      });
    });
  }

  #receive(text: string): void {
    const read = readObjectMessage(text);
    if (read.kind !== 'message') return;
    const { message } = read;
    const at = Date.now();
    if (message.type === 'ack' && message.of === 'start') {
      this.#failures = 0;
      report({ type: 'started', run: this.#run, at });
    }
    if (message.type === 'kill') {
      report({ type: 'kill', run: this.#run, at });
      this.#say(killingMessage(message.kill, 'term'));
      this.#say(killingMessage(message.kill, 'gone'));
      this.#say(completeMessage());
    }
    if (message.type === 'ack' && message.of === 'complete') {
      report({ type: 'settled', run: this.#run, at });
      this.#hasEnded = true;
      this.#socket?.close(1000);
    }
  }

  #say(message: WrapperMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

async function problemOf(response: IncomingMessage): Promise<Partial<Problem>> {
  return (await json(response)) as Partial<Problem>;
}

function startOf(run: string, runKey: string): WrapperMessage {
  const commandLine = '/usr/local/bin/backup --all --verbose --target /srv/backup';
  return startMessage({ run, runKey }, { command_line: commandLine, version: '0.0.0-bench' });
}

function report(message: WrapperReport): void {
  process.send?.(message);
}

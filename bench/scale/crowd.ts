/** Many wrappers in one process: they connect, say `start`, dial again as wrappers do, and end at once when killed. */
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { WebSocket } from 'ws';
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS, RECONNECT_CAP_MS } from '#protocol/limits';
import { Problem } from '#protocol/problem';
import {
  DISCONNECTED_HEADER,
  readObjectMessage,
  WRAPPER_SUBPROTOCOL,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import { completeMessage, killingMessage, newRunKey, startMessage } from '#testing/wrapper-messages';
import { DIAL_TIMEOUT_MS } from '../../wrapper/src/link/dial.ts';
import { pauseAfterFailureMs, pauseAfterLossMs, pauseWhileBusyMs } from '../../wrapper/src/link/pauses.ts';
import type { CrowdRequest, Wrapper, WrapperReport } from './crowd-messages.ts';

/** How a connection ended. */
interface Ending {
  readonly reason: string;
  /** What a busy control plane asked for. */
  readonly pauseMs: number | null;
}

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
  readonly #token: string;
  readonly #run: string;
  readonly #key = newRunKey();
  #socket: WebSocket | null = null;
  #hasEnded = false;
  #isBreaking = false;
  #failures = 0;
  #startedAt: number | null = null;
  #disconnectedAt: number | null = null;

  constructor(url: string, token: string, { job, run, machine }: Wrapper) {
    const query = new URLSearchParams({ run, instance: 'thundering-herd', machine });
    this.#url = `${url.replace(/^http/, 'ws')}/api/v1/jobs/${job}/connect?${query}`;
    this.#token = token;
    this.#run = run;
  }

  /** Dials until the run has ended, with the pauses of a real wrapper. */
  async play(): Promise<void> {
    for (;;) {
      const ending = await this.#connection();
      if (this.#hasEnded) return;
      if (this.#startedAt !== null) this.#disconnectedAt = performance.now();
      if (this.#isBreaking) this.#isBreaking = false;
      else report({ type: ending.pauseMs === null ? 'failed' : 'busy', run: this.#run, reason: ending.reason });
      await sleep(this.#pauseMs(ending));
    }
  }

  breakLink(): void {
    this.#isBreaking = this.#socket?.readyState === WebSocket.OPEN;
    this.#socket?.terminate();
  }

  #pauseMs({ pauseMs }: Ending): number {
    const wasConnected = this.#startedAt !== null;
    this.#startedAt = null;
    if (pauseMs !== null) return pauseWhileBusyMs(pauseMs);
    const failures = this.#failures;
    this.#failures += 1;
    return (wasConnected ? pauseAfterLossMs : pauseAfterFailureMs)(failures, RECONNECT_CAP_MS);
  }

  /** Resolves at its end. */
  #connection(): Promise<Ending> {
    const disconnectedMs = this.#disconnectedAt === null ? null : performance.now() - this.#disconnectedAt;
    const socket = new WebSocket(this.#url, WRAPPER_SUBPROTOCOL, {
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(disconnectedMs !== null && { [DISCONNECTED_HEADER]: String(Math.floor(disconnectedMs)) }),
      },
      perMessageDeflate: false,
      handshakeTimeout: DIAL_TIMEOUT_MS,
    });
    this.#socket = socket;
    const beats = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) socket.send(HEARTBEAT);
    }, HEARTBEAT_INTERVAL_MS);
    socket.on('open', () => this.#say(startOf(this.#run, this.#key)));
    socket.on('message', (data: Buffer) => this.#receive(data.toString()));
    return new Promise((resolve) => {
      let reason = 'closed';
      // What ends it first says why: a refused handshake also closes.
      const end = (ending: Ending) => {
        clearInterval(beats);
        resolve(ending);
      };
      socket.on('unexpected-response', async (request, response: IncomingMessage) => {
        const refusal = await readRefusal(response);
        request.destroy();
        end(refusal);
      });
      socket.on('error', (error) => {
        reason = error.message;
      });
      socket.on('close', (code) => end({ reason: `${code} ${reason}`, pauseMs: null }));
    });
  }

  #receive(text: string): void {
    const read = readObjectMessage(text);
    if (read.kind !== 'message') return;
    const { message } = read;
    const at = Date.now();
    if (message.type === 'ack' && message.of === 'start') {
      this.#failures = 0;
      this.#startedAt = performance.now();
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

async function readRefusal(response: IncomingMessage): Promise<Ending> {
  const problem = v.safeParse(v.pipe(v.string(), v.parseJson(), Problem), await text(response));
  const pauseMs = problem.success ? (problem.output.retry_after_ms ?? null) : null;
  return { reason: `HTTP ${response.statusCode} ${problem.success ? problem.output.code : ''}`.trim(), pauseMs };
}

function startOf(run: string, runKey: string): WrapperMessage {
  const commandLine = '/usr/local/bin/backup --all --verbose --target /srv/backup';
  return startMessage({ run, runKey }, { command_line: commandLine, version: '0.0.0-bench' });
}

function report(message: WrapperReport): void {
  process.send?.(message);
}

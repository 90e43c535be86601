/** Opens a real WebSocket where wrappers do, and lets heartbeats go there and back. It starts no run, and stores nothing. */
import type { IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import WebSocket from 'ws';
import { HEARTBEAT } from '#protocol/limits';
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import type { ControlPlane } from '../config/control-plane.ts';
import { problemIn } from '../http/problem-response.ts';
import { routeTo } from '../http/proxy.ts';
import { openTransport } from '../http/transport.ts';
import { describeError } from '../logging/log.ts';
import type { Upgrade } from './checks/way.ts';

const OPEN_LIMIT_MS = 10_000;
const REPLY_LIMIT_MS = 10_000;
const HEARTBEATS = 3;
const MAX_BODY_CHARS = 8_192;

export interface RunNames {
  readonly job: string;
  readonly run: string;
  readonly instance: string;
  readonly machine: string;
}

/** Never rejects. */
export async function tryUpgrade(controlPlane: ControlPlane, token: string, names: RunNames): Promise<Upgrade> {
  const url = new URL(
    `${controlPlane.baseUrl}/api/v1/jobs/${encodeURIComponent(names.job)}/connect?${new URLSearchParams({
      run: names.run,
      instance: names.instance,
      machine: names.machine,
    })}`,
  );
  const aborting = new AbortController();
  let timer = setTimeout(() => aborting.abort(), OPEN_LIMIT_MS);
  try {
    const transport = await openTransport(url, routeTo(url, controlPlane.proxy), controlPlane.caFile, {
      signal: aborting.signal,
      onStep: () => {},
    });
    const socket = new WebSocket(url, [WRAPPER_SUBPROTOCOL], {
      headers: { Authorization: `Bearer ${token}` },
      createConnection: () => transport,
      perMessageDeflate: false,
    });
    return await new Promise((resolve) => {
      const finish = (upgrade: Upgrade) => {
        clearTimeout(timer);
        socket.terminate();
        resolve(upgrade);
      };
      // Its own error would only say that the socket was closed.
      aborting.signal.addEventListener('abort', () => finish({ kind: 'failed', why: timedOut(OPEN_LIMIT_MS) }));
      socket.on('unexpected-response', (_request, response) => void readRefusal(response).then(finish));
      socket.on('error', (error) => finish({ kind: 'failed', why: describeError(error) }));
      socket.on('close', (code) => finish({ kind: 'failed', why: `it was closed with code ${code}` }));
      socket.on('open', () => {
        clearTimeout(timer);
        timer = setTimeout(() => finish({ kind: 'silent', waitedMs: REPLY_LIMIT_MS }), REPLY_LIMIT_MS);
        measure(socket, (roundTripsMs) => finish({ kind: 'open', roundTripsMs }));
      });
    });
  } catch (error) {
    return { kind: 'failed', why: aborting.signal.aborted ? timedOut(OPEN_LIMIT_MS) : describeError(error) };
  } finally {
    clearTimeout(timer);
  }
}

function timedOut(ms: number): string {
  return `there was no response within ${ms / 1_000} s`;
}

/** The runtime answers a heartbeat without waking the job's object. */
function measure(socket: WebSocket, done: (roundTripsMs: readonly number[]) => void): void {
  const roundTripsMs: number[] = [];
  let sentAt = 0;
  const beat = () => {
    sentAt = performance.now();
    socket.send(HEARTBEAT);
  };
  socket.on('message', (data) => {
    if (data.toString() !== HEARTBEAT) return;
    roundTripsMs.push(performance.now() - sentAt);
    if (roundTripsMs.length < HEARTBEATS) beat();
    else done(roundTripsMs);
  });
  beat();
}

async function readRefusal(response: IncomingMessage): Promise<Upgrade> {
  const status = response.statusCode ?? 0;
  let text = '';
  try {
    for await (const bytes of response) {
      text += String(bytes);
      if (text.length > MAX_BODY_CHARS) break;
    }
  } catch {
    // It broke off: then it isn't the control plane's own.
  }
  const problem = problemIn(text);
  if (problem !== null) return { kind: 'refused', status, detail: problem.detail };
  const by = response.headers.via ?? response.headers.server;
  return { kind: 'intercepted', status, by: [by].flat()[0] ?? null };
}

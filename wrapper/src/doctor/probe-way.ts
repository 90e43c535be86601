/** Goes the way to the control plane and notes what happens. What it means is judged elsewhere (checks/way.ts). */
import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import * as v from 'valibot';
import type { ControlPlane } from '../config/control-plane.ts';
import { parseJson } from '../http/json.ts';
import { lookup } from '../http/lookup.ts';
import { problemIn } from '../http/problem-response.ts';
import { bareHost, describeProxy, portOf, type Route, routeTo } from '../http/proxy.ts';
import { type HttpResult, request } from '../http/request.ts';
import { requestFailure, timeoutError } from '../http/request-failure.ts';
import { openTransport, type Step } from '../http/transport.ts';
import { describeError } from '../logging/log.ts';
import type { DatedResponse } from './checks/clock.ts';
import type { Destination, Health, Names, TlsFacts, Transport } from './checks/way.ts';

const CONNECT_LIMIT_MS = 10_000;
const RESPONSE_LIMIT_MS = 10_000;
const MAX_BODY_CHARS = 64 * 1024;

export class Way {
  readonly url: URL;
  readonly destination: Destination;
  readonly #controlPlane: ControlPlane;
  readonly #route: Route;

  constructor(controlPlane: ControlPlane) {
    this.#controlPlane = controlPlane;
    this.url = new URL(controlPlane.baseUrl.replace(/^ws/, 'http'));
    this.#route = routeTo(this.url, controlPlane.proxy);
    const proxy = this.#route.kind === 'proxy' ? this.#route.proxy : null;
    this.destination = {
      host: bareHost(this.url),
      port: portOf(this.url),
      proxy: proxy === null ? null : { name: describeProxy(proxy), host: proxy.host },
      caFile: controlPlane.caFile,
    };
  }

  /** Looks up who is connected to: the proxy, if there is one. Never rejects. */
  findNames(): Promise<Names> {
    const host = this.destination.proxy?.host ?? this.destination.host;
    // Without a valid proxy, the next step says so.
    if (isIP(host) !== 0 || this.#route.kind === 'none') return Promise.resolve({ kind: 'address' });
    return new Promise((resolve) => {
      lookup(host, { all: true }, (error, found) => {
        if (error !== null) resolve({ kind: 'failed', host, why: describeError(error) });
        else
          resolve({
            kind: 'found',
            host,
            addresses: [found].flat().map((each) => (typeof each === 'string' ? each : each.address)),
          });
      });
    });
  }

  /** Connects, with TLS, and hangs up. Never rejects. */
  async connect(): Promise<Transport> {
    const aborting = new AbortController();
    let step: Step | null = null;
    const begunAt = performance.now();
    const timeout = timeoutOf(aborting, () => timeoutError(CONNECT_LIMIT_MS, step, this.url));
    try {
      const opening = openTransport(this.url, this.#route, this.#controlPlane.caFile, {
        signal: aborting.signal,
        onStep: (next) => {
          step = next;
        },
      });
      const socket = await Promise.race([opening, timeout.expired]);
      const ms = performance.now() - begunAt;
      const tls = isTls(socket) ? tlsFacts(socket) : null;
      socket.destroy();
      return { kind: 'open', ms, tls };
    } catch (error) {
      return { kind: 'failed', step, failure: requestFailure(error, step) };
    } finally {
      timeout.stop();
    }
  }

  /** Sends a request to a path of the control plane. Never rejects. */
  async request(
    path: string,
    { method = 'GET', token = null, body }: { method?: string; token?: string | null; body?: object } = {},
    timeoutMs = RESPONSE_LIMIT_MS,
  ): Promise<Answer> {
    const sentAtMs = Date.now();
    const result = await request({
      method,
      url: new URL(`${this.url.href.replace(/\/$/, '')}${path}`),
      headers: {
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      proxyEnv: this.#controlPlane.proxy,
      caFile: this.#controlPlane.caFile,
      timeoutMs,
    });
    return answerOf(result, sentAtMs, Date.now());
  }
}

export type Answer =
  | { readonly kind: 'failed'; readonly failure: Extract<HttpResult, { kind: 'failure' }>['failure'] }
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly location: string | null;
      readonly text: string;
      readonly dated: DatedResponse;
    };

async function answerOf(result: HttpResult, sentAtMs: number, receivedAtMs: number): Promise<Answer> {
  if (result.kind === 'failure') return { kind: 'failed', failure: result.failure };
  const { status, headers, body } = result.response;
  let text = '';
  try {
    for await (const bytes of body) {
      text += Buffer.from(bytes).toString();
      if (text.length > MAX_BODY_CHARS) break;
    }
  } catch (error) {
    return { kind: 'failed', failure: requestFailure(error, null) };
  }
  return {
    kind: 'answered',
    status,
    location: headers.location ?? null,
    text,
    dated: { date: headers.date ?? null, sentAtMs, receivedAtMs },
  };
}

export function healthOf(answer: Answer): Health {
  if (answer.kind === 'failed') return answer;
  const { status, text, location } = answer;
  const isHealthy = status === 200 && parseJson(v.object({ status: v.literal('ok') }), text) !== null;
  return {
    kind: 'answered',
    status,
    isHealthy,
    detail: problemIn(text)?.detail ?? null,
    location: status >= 300 && status < 400 ? location : null,
  };
}

function timeoutOf(aborting: AbortController, why: () => Error): { expired: Promise<never>; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // First: what is aborted rejects, too.
      reject(why());
      aborting.abort();
    }, CONNECT_LIMIT_MS);
  });
  return { expired, stop: () => clearTimeout(timer) };
}

function isTls(socket: object): socket is TLSSocket {
  return 'getPeerCertificate' in socket;
}

function tlsFacts(socket: TLSSocket): TlsFacts {
  const certificate = socket.getPeerCertificate(true);
  return {
    protocol: socket.getProtocol() ?? 'TLS',
    authority: authorityOf(certificate),
    validUntilMs: Date.parse(certificate.valid_to),
  };
}

/** The name of the last authority of the chain: that is the one that is trusted, or installed by a firewall. */
function authorityOf(certificate: DetailedPeerCertificate): string {
  let last = certificate;
  // The last one has itself as its issuer, or none.
  for (let count = 0; count < 10 && last.issuerCertificate && last.issuerCertificate !== last; count += 1) {
    last = last.issuerCertificate;
  }
  const { O, CN } = last.issuer ?? {};
  return [O, CN].flat().filter((each) => each !== undefined)[0] ?? 'an authority without a name';
}

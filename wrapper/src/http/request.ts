/**
 * HTTP requests, by the proxies and with the authorities that the link uses, too. Nothing of this is loaded before the
 * command of `leash run` is started.
 */
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { bareHost, portOf, routeTo } from './proxy.ts';
import { type RequestFailure, requestFailure, timeoutError } from './request-failure.ts';
import { openTransport, type Step } from './transport.ts';

export interface HttpRequest {
  readonly method: string;
  /** `http:` or `https:`. */
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Environment variables, of which those that name proxies are used. */
  readonly proxyEnv: Readonly<Record<string, string | undefined>>;
  /** A file of authorities (PEM) to trust in addition to Node's own. */
  readonly caFile: string | null;
  /** Until the response begins, and then for each wait for more of its body. */
  readonly timeoutMs: number;
  /** Gives up, also while the body is being read. */
  readonly signal?: AbortSignal;
  /** Called with each step on the way to the host; never for a connection that is used again. */
  readonly onStep?: (step: Step) => void;
  /** Keeps connections for later requests; by default a request has one of its own. */
  readonly connections?: Connections;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /**
   * The body as it arrives; can be read once. Who stops early hangs up.
   *
   * It throws a RequestError when the connection breaks, the signal is aborted, or nothing arrives in time.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Hangs up: for a body that is not read. */
  discard(): void;
}

export type HttpResult =
  | { readonly kind: 'response'; readonly response: HttpResponse }
  | { readonly kind: 'failure'; readonly failure: RequestFailure };

/** What a body throws. */
export class RequestError extends Error {
  readonly failure: RequestFailure;

  constructor(failure: RequestFailure) {
    super(failure.why);
    this.failure = failure;
  }
}

/** Connections that are kept open between requests. */
export class Connections {
  readonly agent = new RoutingAgent({ keepAlive: true });

  close(): void {
    this.agent.destroy();
  }
}

/** Sends a request, and waits for the head of the response, whatever its status. Follows no redirects. Never rejects. */
export async function request(options: HttpRequest): Promise<HttpResult> {
  const exchange = new Exchange(options);
  try {
    return { kind: 'response', response: await exchange.response() };
  } catch (error) {
    return { kind: 'failure', failure: exchange.failureOf(error) };
  }
}

/** A request and its response. */
class Exchange {
  readonly #options: HttpRequest;
  readonly #request: http.ClientRequest;
  readonly #connecting = new AbortController();
  #response: IncomingMessage | null = null;
  /** What is waited for; null: for the response, or more of it. */
  #step: Step | null = null;

  constructor(options: HttpRequest) {
    this.#options = options;
    const { method, url, headers, body, connections } = options;
    const routed: RoutedOptions = {
      method,
      protocol: 'http:',
      host: bareHost(url),
      port: portOf(url),
      path: `${url.pathname}${url.search}`,
      headers: {
        Host: url.host,
        ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
      agent: connections?.agent ?? new RoutingAgent({}),
      open: () => this.#open(),
    };
    this.#request = http.request(routed);
    options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  async response(): Promise<HttpResponse> {
    const { body, signal } = this.#options;
    const response = await this.#inTime(() => {
      if (signal?.aborted) this.#abort();
      else this.#request.end(body);
      return responseTo(this.#request);
    });
    this.#response = response;
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: this.#read(response),
      discard: () => response.destroy(),
    };
  }

  failureOf(error: unknown): RequestFailure {
    return requestFailure(error, this.#step, this.#options.signal);
  }

  async #open(): Promise<Duplex> {
    const { url, proxyEnv, caFile, onStep } = this.#options;
    const socket = await openTransport(url, routeTo(url, proxyEnv), caFile, {
      signal: this.#connecting.signal,
      onStep: (step) => {
        this.#step = step;
        onStep?.(step);
      },
    });
    this.#step = null;
    return socket;
  }

  async *#read(response: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#inTime(() => chunks.next());
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      throw new RequestError(this.failureOf(error));
    } finally {
      response.destroy();
      this.#options.signal?.removeEventListener('abort', this.#abort);
    }
  }

  /** A reader that takes its time is not the network's fault: only what `wait` does counts. */
  async #inTime<Value>(wait: () => Promise<Value>): Promise<Value> {
    const { timeoutMs, url } = this.#options;
    const timer = setTimeout(() => this.#stop(timeoutError(timeoutMs, this.#step, url)), timeoutMs);
    try {
      return await wait();
    } finally {
      clearTimeout(timer);
    }
  }

  readonly #abort = () => this.#stop(new Error('the request was aborted'));

  #stop(why: Error): void {
    // Once there is a response, the request would not pass on why. Nor would the connection, if it was closed first.
    (this.#response ?? this.#request).destroy(why);
    this.#connecting.abort();
  }
}

function responseTo(sent: http.ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve);
    // Also later: an `error` event without a listener would end the process.
    sent.on('error', reject);
    sent.once('close', () => reject(new Error('the connection was closed before a response came')));
  });
}

interface RoutedOptions extends http.RequestOptions {
  readonly open: () => Promise<Duplex>;
}

/** Opens connections as the request says for which one is needed. */
class RoutingAgent extends http.Agent {
  override createConnection(
    options: http.ClientRequestArgs & Partial<RoutedOptions>,
    done: (error: Error | null, socket: Duplex) => void = () => {},
  ): undefined {
    const { open = () => Promise.reject(new Error('the request does not say how to connect')) } = options;
    open().then(
      (socket) => done(null, socket),
      // The type asks for a connection even then.
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), new Duplex()),
    );
  }
}

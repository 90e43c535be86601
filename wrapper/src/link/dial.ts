/** One WebSocket to the job object. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import WebSocket from 'ws';
import { CLOSE_CODES } from '#protocol/close-codes';
import { KIB, MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { Problem } from '#protocol/problem';
import { DISCONNECTED_HEADER, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { ownBusyMs, withinRunning } from '../clock/running-clock.ts';
import type { ControlPlane, TokenSource } from '../config/control-plane.ts';
import { readTokenFile } from '../config/token-file.ts';
import { readProblem } from '../http/problem-response.ts';
import { authority, bareHost, describeProxy, portOf, type Route, routeTo } from '../http/proxy.ts';
import { Refusal } from '../http/refusal.ts';
import { describeStep, isNotHttp, openTransport, type Step } from '../http/transport.ts';
import { describeError } from '../logging/log.ts';
import { FrameMemory } from './frame-memory.ts';
import { InboundBudget } from './inbound-budget.ts';

/** How an attempt or a connection ended. */
export type ConnectionEnd =
  /** The host could not be reached, or the connection broke. */
  | { readonly kind: 'lost'; readonly why: string }
  /** The control plane is up and busy: it said when to ask again. */
  | { readonly kind: 'busy'; readonly why: string; readonly pauseMs: number }
  /** The peer answered with a refusal: asking again soon is useless. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The job object said that this run must not reconnect. */
  | { readonly kind: 'rejected'; readonly why: string }
  /** The peer sends more than a control plane ever needs to. */
  | { readonly kind: 'flooded'; readonly why: string };

export interface Handlers {
  opened(): void;
  text(frame: string): void;
  /** A frame that carries nothing for a wrapper: binary, ping, pong. */
  otherFrame(): void;
  /** Called once, last. */
  ended(ending: ConnectionEnd): void;
}

export interface Connection {
  send(frame: string): void;
  sendOutput(frame: OutputFrame): void;
  /** Closes with a closing handshake; `ended` follows. */
  close(): void;
  /** Hangs up without waiting for the peer; `ended` follows at once. */
  terminate(why: string): void;
}

export interface RunAddress {
  readonly controlPlane: ControlPlane;
  readonly job: string;
  readonly run: string;
  readonly instance: string;
  readonly machine: string;
}

/** For all of it: reading the token, finding the address, connecting, a proxy, TLS, the upgrade. */
export const DIAL_TIMEOUT_MS = 15_000;
/** How often the timeout is extended when this process was not scheduled for most of it: then the network isn't slow. */
const MAX_EXTENSIONS = 2;
/** How long an attempt waits for the token file. The read continues, and the next attempt uses its result. */
const TOKEN_LIMIT_MS = 2_000;
/** More than the 64 Ki characters of a text frame, and no binary frame has a meaning. */
const MAX_FRAME_BYTES = 256 * KIB;
/** Valid frames aren't fragmented. Empty fragments could arrive endlessly without any event. */
const MAX_FRAGMENTS = 64;
/** Before the response to the upgrade: there should be none. */
const MAX_INTERIM_RESPONSES = 10;
const MAX_DETAIL_CHARS = 300;
/**
 * More than a window of output: a peer that reads nothing, but asks for replies or acks what it has not read, must not fill
 * our memory. (A small frame takes many times its size.)
 */
const MAX_BUFFERED_BYTES = MIB;

/**
 * Starts to connect. Never throws: every failure is reported by `ended`.
 *
 * @param budget what the control plane may send
 * @param disconnectedMs for how long the run has been disconnected; null: it was never connected
 * @param timeoutMs until the WebSocket is open
 */
export function dial(
  address: RunAddress,
  handlers: Handlers,
  budget = new InboundBudget(),
  disconnectedMs: number | null = null,
  timeoutMs = DIAL_TIMEOUT_MS,
): Connection {
  const url = connectUrl(address);
  const route = routeTo(url, address.controlPlane.proxy);
  const aborting = new AbortController();
  let socket: WebSocket | null = null;
  let step = 'reading the token';
  let over = false;
  const end = (ending: ConnectionEnd) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    socket?.terminate();
    aborting.abort();
    handlers.ended(ending);
  };
  let busyMs = ownBusyMs();
  let extensions = 0;
  const expire = () => {
    const busyMeanwhileMs = ownBusyMs() - busyMs;
    if (extensions < MAX_EXTENSIONS && busyMeanwhileMs >= timeoutMs / 2) {
      extensions += 1;
      busyMs += busyMeanwhileMs;
      timer = setTimeout(expire, timeoutMs);
      return;
    }
    end({ kind: 'lost', why: `timed out after ${timeoutMs / 1_000} s ${step}${via(route, step)}` });
  };
  let timer = setTimeout(expire, timeoutMs);
  const connect = async () => {
    const token = await readToken(address.controlPlane.token);
    const { caFile } = address.controlPlane;
    const onStep = (next: Step) => {
      step = describeStep(next);
    };
    const transport = await openTransport(url, route, caFile, { signal: aborting.signal, onStep });
    if (over) return;
    step = `opening the WebSocket to ${bareHost(url)}`;
    const opened = () => {
      clearTimeout(timer);
      handlers.opened();
    };
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(disconnectedMs !== null && { [DISCONNECTED_HEADER]: String(Math.floor(disconnectedMs)) }),
    };
    socket = upgrade(url, transport, headers, { ...handlers, opened }, budget, end);
  };
  connect().catch((error: unknown) => {
    end({ kind: error instanceof Refusal ? 'refused' : 'lost', why: describeError(error) });
  });
  const isWritable = (open: WebSocket | null): open is WebSocket => {
    if (over || open?.readyState !== WebSocket.OPEN) return false;
    if (open.bufferedAmount <= MAX_BUFFERED_BYTES) return true;
    end({ kind: 'lost', why: 'the control plane does not read what it is sent' });
    return false;
  };
  return {
    send: (frame) => {
      if (isWritable(socket)) socket.send(frame, ignoreSendError);
    },
    sendOutput: (frame) => {
      if (!isWritable(socket)) return;
      budget.outputSent();
      const { bytes, release } = frameMemory.encode(frame);
      // `release` is called once the frame has been written to the network, or never will be.
      socket.send(bytes, release);
    },
    close: () => {
      if (socket?.readyState === WebSocket.OPEN) socket.close(1000);
      else end({ kind: 'lost', why: 'the connection was closed before it was open' });
    },
    terminate: (why) => end({ kind: 'lost', why }),
  };
}

/** One for all connections: on an unstable network each connection would leave a window's worth of garbage. */
const frameMemory = new FrameMemory();

/** The proxy, unless it has been named already. */
function via(route: Route, said: string): string {
  if (route.kind !== 'proxy' || said.includes(describeProxy(route.proxy))) return '';
  return ` via ${describeProxy(route.proxy)}`;
}

/** The socket also emits `error` and `close`. */
function ignoreSendError(): void {}

const FLOODED: ConnectionEnd = { kind: 'flooded', why: 'the control plane sends too much data' };

/** Opens a WebSocket on a connection. */
function upgrade(
  url: URL,
  transport: Duplex,
  headers: Readonly<Record<string, string>>,
  handlers: Handlers,
  budget: InboundBudget,
  end: (ending: ConnectionEnd) => void,
): WebSocket {
  const socket = new WebSocket(url, [WRAPPER_SUBPROTOCOL], {
    headers,
    createConnection: () => transport,
    maxPayload: MAX_FRAME_BYTES,
    maxFragments: MAX_FRAGMENTS,
    // Otherwise all frames of one read are handled before anything else.
    allowSynchronousEvents: false,
    finishRequest: (request) => {
      let interim = 0;
      request.on('information', () => {
        interim += 1;
        if (interim > MAX_INTERIM_RESPONSES) end(FLOODED);
      });
      request.end();
    },
    perMessageDeflate: false,
    followRedirects: false,
    // Masking keeps frames from browser scripts from looking like HTTP to a proxy. Here no script chooses the bytes of a
    // frame, and a mask of zeros saves a copy of all output.
    generateMask: (mask) => mask.fill(0),
  });
  let why = 'the connection was closed';
  let isForeign = false;
  let upgraded = false;
  let open = false;
  socket.on('upgrade', () => {
    upgraded = true;
  });
  /** Whether a received frame may be handled. */
  const isInBudget = () => {
    const isIn = budget.takeFrame();
    if (!isIn) end(FLOODED);
    return isIn;
  };
  const onOtherFrame = () => {
    if (isInBudget()) handlers.otherFrame();
  };
  socket.on('open', () => {
    open = true;
    transport.on('data', ({ length }: Uint8Array) => {
      if (!budget.takeBytes(length)) end(FLOODED);
    });
    handlers.opened();
  });
  socket.on('message', (data, isBinary) => {
    if (isBinary) onOtherFrame();
    else if (isInBudget()) handlers.text(data.toString());
  });
  socket.on('ping', onOtherFrame);
  socket.on('pong', onOtherFrame);
  socket.on('unexpected-response', (_request, response) => {
    readProblem(response, (problem) => end(refusal(response, problem)));
  });
  socket.on('error', (error) => {
    why = describeError(error);
    isForeign = isNotHttp(error);
  });
  socket.on('close', (code, reason) => {
    if (code === CLOSE_CODES.conflict) end({ kind: 'rejected', why: 'the run id belongs to another wrapper' });
    else if (!open && (upgraded || isForeign))
      end({ kind: 'refused', why: `${url.host} does not look like a Leash control plane: ${why}` });
    else end({ kind: 'lost', why: code === 1006 ? why : `closed with ${code} ${reason.toString()}`.trim() });
  });
  return socket;
}

/** The host that a link connects to, and the proxy, for a person. */
export function describeWay({ baseUrl, proxy }: ControlPlane): string {
  const url = new URL(baseUrl);
  return `${authority(bareHost(url), portOf(url))}${via(routeTo(url, proxy), '')}`;
}

function connectUrl({ controlPlane, job, run, instance, machine }: RunAddress): URL {
  const query = new URLSearchParams({ run, instance, machine });
  return new URL(`${controlPlane.baseUrl}/api/v1/jobs/${encodeURIComponent(job)}/connect?${query}`);
}

const REFUSALS: Readonly<Record<number, string>> = {
  401: 'the token is missing, wrong or expired (401)',
  403: 'the token may not run this job on this machine (403)',
  404: 'no control plane was found at this URL (404)',
  426: 'the control plane does not support this version of the protocol (426)',
};

function refusal({ statusCode: status = 0, headers }: IncomingMessage, problem: Problem | null): ConnectionEnd {
  if (status >= 300 && status < 400) {
    const where = (headers.location ?? 'nowhere').slice(0, MAX_DETAIL_CHARS);
    return { kind: 'refused', why: `redirected (${status}) to ${where}: set LEASH_URL to the control plane's URL` };
  }
  if (status >= 200 && status < 300) {
    return { kind: 'refused', why: `this URL does not look like a Leash control plane (${status})` };
  }
  const passing = status >= 500 || status === 408 || status === 425 || status === 429;
  const said = REFUSALS[status] ?? `the control plane responded with status ${status}`;
  const why = problem === null ? said : `${said}: ${problem.detail.slice(0, MAX_DETAIL_CHARS)}`;
  const pauseMs = problem?.retry_after_ms;
  if (status === 503 && pauseMs !== undefined) return { kind: 'busy', why, pauseMs };
  return { kind: passing ? 'lost' : 'refused', why };
}

async function readToken(source: TokenSource): Promise<string> {
  const text = source.kind === 'value' ? source.token : await tokenIn(source.path);
  // The HTTP client would throw on characters that a header can't hold, with the token in the message.
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Refusal('the token is empty or contains invalid characters');
  return text;
}

async function tokenIn(path: string): Promise<string> {
  const read = readTokenFile(path).catch((error: unknown) => {
    throw new Refusal(`cannot read the token: ${describeError(error)}`);
  });
  const token = await withinRunning(read, TOKEN_LIMIT_MS, null);
  if (token === null) throw new Error(`the token file ${path} does not respond`);
  return token;
}

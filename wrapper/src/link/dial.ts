/** One WebSocket to a job's object. */
import fs from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import WebSocket from 'ws';
import { MIB } from '#protocol/limits';
import { Problem } from '#protocol/problem';
import { CLOSE_CODES, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import type { ControlPlane, TokenSource } from '../cli/control-plane.ts';
import { describeError } from '../log.ts';
import { lookup } from './lookup.ts';

/** How an attempt or a connection ended. */
export type Ending =
  /** Nobody was reached, or the connection broke. */
  | { readonly kind: 'lost'; readonly why: string }
  /** Somebody answered, and said no: asking again soon is of no use. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The object said that this run must not come back. */
  | { readonly kind: 'rejected'; readonly why: string };

export interface Handlers {
  opened(): void;
  text(frame: string): void;
  /** A frame that carries nothing for a wrapper: binary, ping, pong. */
  otherFrame(): void;
  /** Told once, last. */
  ended(ending: Ending): void;
}

export interface Connection {
  send(frame: string | Uint8Array): void;
  /** Says goodbye; `ended` follows. */
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

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** For all of it: reading the token, finding the address, connecting, the handshake. */
const DIAL_TIMEOUT_MS = 15_000;
const MAX_FRAME_BYTES = MIB;
const MAX_PROBLEM_CHARS = 8_192;
const MAX_DETAIL_CHARS = 300;

/** For `net.connect`. Left to itself, Node 18 tries only the first of several addresses. */
const NETWORK = { lookup, autoSelectFamily: true };

/** Starts to connect. Never throws: whatever goes wrong is told by `ended`. */
export function dial(address: RunAddress, handlers: Handlers): Connection {
  let socket: WebSocket | null = null;
  let over = false;
  const end = (ending: Ending) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    socket?.terminate();
    handlers.ended(ending);
  };
  const timer = setTimeout(() => end({ kind: 'lost', why: 'no connection in time' }), DIAL_TIMEOUT_MS);
  const opened = () => {
    clearTimeout(timer);
    handlers.opened();
  };
  readToken(address.controlPlane.token)
    .then((token) => {
      if (!over) socket = connect(address, token, { ...handlers, opened }, end);
    })
    .catch((error: unknown) => end({ kind: 'refused', why: describeError(error) }));
  return {
    send: (frame) => {
      if (!over && socket?.readyState === WebSocket.OPEN) socket.send(frame, ignoreSendError);
    },
    close: () => {
      if (socket?.readyState === WebSocket.OPEN) socket.close(1000);
      else end({ kind: 'lost', why: 'closed before it was open' });
    },
    terminate: (why) => end({ kind: 'lost', why }),
  };
}

/** The socket's own `error` and `close` tell of it. */
function ignoreSendError(): void {}

function connect(address: RunAddress, token: string, handlers: Handlers, end: (ending: Ending) => void): WebSocket {
  const socket = new WebSocket(connectUrl(address), [WRAPPER_SUBPROTOCOL], {
    headers: { Authorization: `Bearer ${token}` },
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
    ...NETWORK,
  });
  let why = 'the connection was closed';
  socket.on('open', () => handlers.opened());
  socket.on('message', (data, isBinary) => {
    if (isBinary) handlers.otherFrame();
    else handlers.text(data.toString());
  });
  socket.on('ping', () => handlers.otherFrame());
  socket.on('pong', () => handlers.otherFrame());
  socket.on('unexpected-response', (_request, response) => {
    readDetail(response, (detail) => end(refusal(response.statusCode ?? 0, detail)));
  });
  socket.on('error', (error) => {
    why = describeError(error);
  });
  socket.on('close', (code, reason) => {
    if (code === CLOSE_CODES.conflict) end({ kind: 'rejected', why: 'the run id belongs to another wrapper' });
    else end({ kind: 'lost', why: code === 1006 ? why : `closed with ${code} ${reason.toString()}`.trim() });
  });
  return socket;
}

function connectUrl({ controlPlane, job, run, instance, machine }: RunAddress): string {
  const query = new URLSearchParams({ run, instance, machine });
  return `${controlPlane.baseUrl}/api/v1/jobs/${encodeURIComponent(job)}/connect?${query}`;
}

/** The `detail` of a problem document, or nothing. `done` is called once, soon, whatever the peer sends. */
function readDetail(response: IncomingMessage, done: (detail: string | null) => void): void {
  let body = '';
  let told = false;
  const tell = () => {
    if (told) return;
    told = true;
    clearTimeout(timer);
    done(detailOf(body));
  };
  const timer = setTimeout(tell, 1_000);
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    body += text;
    if (body.length > MAX_PROBLEM_CHARS) tell();
  });
  response.on('close', tell);
  response.on('error', tell);
}

function detailOf(body: string): string | null {
  try {
    const problem = v.safeParse(Problem, JSON.parse(body));
    return problem.success ? problem.output.detail.slice(0, MAX_DETAIL_CHARS) : null;
  } catch {
    // Not JSON: it came from something else on the way.
    return null;
  }
}

const REFUSALS: Readonly<Record<number, string>> = {
  401: 'the token is missing, wrong or expired (401)',
  403: 'the token may not run this job on this machine (403)',
  404: 'there is no control plane at this URL (404)',
  426: 'the control plane does not speak this version of the protocol (426)',
};

function refusal(status: number, detail: string | null): Ending {
  const passing = status >= 500 || status === 408 || status === 425 || status === 429;
  const said = REFUSALS[status] ?? `the control plane answered ${status}`;
  return { kind: passing ? 'lost' : 'refused', why: detail === null ? said : `${said}: ${detail}` };
}

async function readToken(source: TokenSource): Promise<string> {
  const text = source.kind === 'value' ? source.token : (await fs.readFile(source.path, 'utf8')).trim();
  // What a header can't carry would be thrown by the HTTP client, with the token in the message.
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error('the token is empty or holds characters that no token has');
  return text;
}

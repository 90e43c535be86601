/**
 * Opens a connection to the control plane's host: TCP, through a proxy or direct, and TLS.
 *
 * Node's `http` and `tls` are imported where they are needed: in the one file that is shipped, what is imported at the top
 * of a module is loaded before anything else, and the command would wait for it.
 */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { describeError } from '../logging/log.ts';
import { lookup } from './lookup.ts';
import { authority, bareHost, describeProxy, isSecure, type ProxyServer, portOf, type Route } from './proxy.ts';
import { InvalidSettings, Refusal } from './refusal.ts';
import { OLDEST_TLS, type Trust, trustedAuthorities } from './trust.ts';

/** What is being waited for. `isProxy`: of the proxy, not of the host itself. */
export type Step =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly isProxy: boolean }
  /** The proxy connects to the host. */
  | { readonly kind: 'tunnel'; readonly proxy: ProxyServer }
  | { readonly kind: 'tls'; readonly host: string; readonly isProxy: boolean };

/** For a person, after "timed out after 15 s". */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'tcp':
      return `connecting to ${authority(step.host, step.port)}`;
    case 'tunnel':
      return `waiting for the ${describeProxy(step.proxy)}`;
    case 'tls':
      return `negotiating TLS with ${step.host}`;
  }
}

export interface Attempt {
  /** Aborts what is in progress, and closes every connection that was opened. */
  readonly signal: AbortSignal;
  /** Called when a step begins. */
  onStep(step: Step): void;
}

/**
 * Connects to the host of `target`, a `ws:`, `wss:`, `http:` or `https:` URL.
 *
 * Rejects with a Refusal when a person must fix something, else with the network's error; both say what to do or at least
 * what was tried.
 */
export async function openTransport(
  target: URL,
  route: Route,
  caFile: string | null,
  attempt: Attempt,
): Promise<Duplex> {
  if (route.kind === 'none') throw new InvalidSettings(route.why);
  try {
    return await connect(target, route, { caFile, withSystem: false }, attempt);
  } catch (error) {
    // A certificate that Node doesn't trust may be one that this machine does.
    if (!(error instanceof UnknownAuthority) || attempt.signal.aborted) throw withRoute(error, route);
  }
  try {
    return await connect(target, route, { caFile, withSystem: true }, attempt);
  } catch (error) {
    throw withRoute(error, route);
  }
}

/** None of the authorities that are trusted so far has issued the certificate. */
class UnknownAuthority extends Refusal {}

type OpenRoute = Exclude<Route, { kind: 'none' }>;

async function connect(target: URL, route: OpenRoute, trust: Trust, attempt: Attempt): Promise<Duplex> {
  const host = bareHost(target);
  const port = portOf(target);
  const plain =
    route.kind === 'direct'
      ? await connectTcp(host, port, false, attempt)
      : await tunnel(route.proxy, authority(host, port), trust, attempt);
  return isSecure(target) ? await secure(plain, host, false, trust, attempt) : plain;
}

async function connectTcp(host: string, port: number, isProxy: boolean, attempt: Attempt): Promise<net.Socket> {
  attempt.onStep({ kind: 'tcp', host, port, isProxy });
  // Left to itself, Node 18 tries only the first of several addresses.
  const socket = net.connect({ host, port, lookup, autoSelectFamily: true });
  return opened(socket, 'connect', attempt);
}

async function secure(
  plain: Duplex,
  host: string,
  isProxy: boolean,
  trust: Trust,
  attempt: Attempt,
): Promise<TLSSocket> {
  attempt.onStep({ kind: 'tls', host, isProxy });
  const tls = await import('node:tls');
  const secureContext = await trustedAuthorities(trust);
  attempt.signal.throwIfAborted();
  // It is meant for the command: without the launcher it is in our environment too, and Node would print a warning.
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  const socket = tls.connect({
    socket: plain,
    host,
    rejectUnauthorized: true,
    minVersion: OLDEST_TLS,
    // An address is no server name; then the certificate is compared with `host`.
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(secureContext === undefined ? {} : { secureContext }),
    ALPNProtocols: ['http/1.1'],
  });
  return opened(socket, 'secureConnect', attempt).catch((error: unknown) => {
    plain.destroy();
    throw tlsFailure(error, host);
  });
}

/**
 * Asks a proxy for a connection to `target`, `host:port`. The proxy resolves the name: it need not exist on this side.
 */
async function tunnel(proxy: ProxyServer, target: string, trust: Trust, attempt: Attempt): Promise<Duplex> {
  const plain = await connectTcp(proxy.host, proxy.port, true, attempt);
  const link = proxy.secure ? await secure(plain, proxy.host, true, trust, attempt) : plain;
  attempt.onStep({ kind: 'tunnel', proxy });
  const http = await import('node:http');
  attempt.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = http.request({
      method: 'CONNECT',
      path: target,
      headers: {
        Host: target,
        ...(proxy.authorization === null ? {} : { 'Proxy-Authorization': proxy.authorization }),
      },
      createConnection: () => link,
    });
    request.on('connect', (response, socket, head) => {
      const refusal = proxyRefusal(response.statusCode ?? 0, target);
      if (refusal === null) {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      } else {
        socket.destroy();
        reject(refusal);
      }
    });
    request.on('error', (error) => {
      reject(isNotHttp(error) ? new Refusal(`the proxy does not look like an HTTP proxy (${error.message})`) : error);
    });
    request.on('close', () => reject(new Error('the proxy closed the connection')));
    request.end();
  });
}

/** Whether the peer has sent something other than HTTP: usually another service's port. */
export function isNotHttp(error: Error): boolean {
  // The parser's error codes, except that of a truncated response, which says nothing about the peer.
  return 'code' in error && /^HPE_(?!INVALID_EOF_STATE)/.test(String(error.code));
}

function proxyRefusal(status: number, target: string): Error | null {
  if (status >= 200 && status < 300) return null;
  if (status === 407) {
    return new Refusal('the proxy requires authentication (407): set HTTPS_PROXY to http://user:password@host:port');
  }
  if (status === 403) {
    return new Refusal(`the proxy does not allow connections to ${target} (403): allow them there, or set NO_PROXY`);
  }
  const why = `the proxy could not connect to ${target}: it responded with status ${status}`;
  return status >= 500 || status === 408 || status === 429 ? new Error(why) : new Refusal(why);
}

/** @param event the event after which the socket can be used */
function opened<Socket extends net.Socket>(socket: Socket, event: string, { signal }: Attempt): Promise<Socket> {
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', abort));
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve(socket));
    // Also later: an `error` event without a listener would end the process.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    if (signal.aborted) abort();
  });
}

/** OpenSSL's codes for an unknown authority. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const SEE_TO_IT: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired: renew it, or correct this machine’s clock if that is wrong',
  CERT_NOT_YET_VALID: 'is not valid yet: correct this machine’s clock if that is wrong',
};

/** Turns a TLS error about the certificate into one that says what to do; others stay as they are. */
function tlsFailure(error: unknown, host: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  if (UNKNOWN_AUTHORITY.has(code)) {
    return new UnknownAuthority(
      `the certificate of ${host} is from an unknown authority (${code}): ` +
        'set LEASH_CA_FILE to a file with the authority’s certificate (PEM)',
      { cause: error },
    );
  }
  const toDo = SEE_TO_IT[code];
  if (toDo !== undefined) return new Refusal(`the certificate of ${host} ${toDo}`, { cause: error });
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new Refusal(
      `the certificate of ${host} is for other names: set LEASH_URL to one of them (${namesOf(error)})`,
      { cause: error },
    );
  }
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return new Refusal(`${host} does not speak TLS on this port: check LEASH_URL and the proxy’s URL`, {
      cause: error,
    });
  }
  if (/^(CERT|CRL)_|_CERT_|_SIGNATURE/.test(code)) {
    return new Refusal(`the certificate of ${host} was not accepted: ${code}`, { cause: error });
  }
  return error;
}

function namesOf(error: Error): string {
  const { cert } = error as Error & { cert?: { subjectaltname?: string; subject?: { CN?: string } } };
  return (cert?.subjectaltname ?? cert?.subject?.CN ?? 'it names none').slice(0, 200);
}

/** Adds the proxy that was used. */
function withRoute(error: unknown, route: Route): Error {
  const via = route.kind === 'proxy' ? ` (via ${describeProxy(route.proxy)})` : '';
  const why = `${describeError(error)}${via}`;
  if (error instanceof InvalidSettings) return error;
  return error instanceof Refusal ? new Refusal(why, { cause: error }) : new Error(why, { cause: error });
}

/** The way to the control plane, step by step: each step that works narrows down where the next one breaks. */
import { formatDuration } from '#shared/format-duration';
import type { RequestFailure } from '../../http/request-failure.ts';
import type { Step } from '../../http/transport.ts';
import { type Finding, note, ok, problem, warning } from '../finding.ts';

/** Where the way leads. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  /** The proxy on the way, without its password; null: direct. */
  readonly proxy: { readonly name: string; readonly host: string } | null;
  /** The file of LEASH_CA_FILE. */
  readonly caFile: string | null;
}

export type Names =
  | { readonly kind: 'address' }
  | { readonly kind: 'found'; readonly host: string; readonly addresses: readonly string[] }
  | { readonly kind: 'failed'; readonly host: string; readonly why: string };

/** Whether the host has an address. Behind a proxy that is the proxy's business. */
export function judgeNames(names: Names, { proxy }: Destination): Finding[] {
  switch (names.kind) {
    case 'address':
      return [];
    case 'found': {
      const [first = '', ...others] = names.addresses;
      return [ok('way.dns', `${names.host} is ${first}${others.length === 0 ? '' : ` (and ${others.length} more)`}`)];
    }
    case 'failed':
      return [
        problem(
          'way.dns',
          `no address was found for ${names.host}: ${names.why}`,
          proxy === null
            ? 'Check the name in LEASH_URL and the name servers in /etc/resolv.conf. On a network without DNS set HTTPS_PROXY: a proxy looks the name up itself.'
            : 'Check the name in HTTPS_PROXY and the name servers in /etc/resolv.conf.',
        ),
      ];
  }
}

export type Transport =
  | { readonly kind: 'open'; readonly ms: number; readonly tls: TlsFacts | null }
  | { readonly kind: 'failed'; readonly failure: RequestFailure; readonly step: Step | null };

export interface TlsFacts {
  readonly protocol: string;
  /** Who vouches for the certificate in the end. */
  readonly authority: string;
  readonly validUntilMs: number;
}

const SOON_MS = 7 * 86_400_000;

export function judgeTransport(transport: Transport, destination: Destination, nowMs: number): Finding[] {
  if (transport.kind === 'failed') return [transportProblem(transport, destination, nowMs)];
  const { host, port, proxy } = destination;
  const { ms, tls } = transport;
  const took = `connected in ${formatDuration(ms)}`;
  return [
    proxy === null
      ? ok('way.tcp', `${host}:${port}, ${took}`)
      : ok('way.proxy', `${proxy.name} lets this machine out, ${took}`),
    ...(tls === null ? [] : [tlsFinding(tls, nowMs)]),
  ];
}

function tlsFinding({ protocol, authority, validUntilMs }: TlsFacts, nowMs: number): Finding {
  const leftMs = validUntilMs - nowMs;
  const what = `${protocol}, certificate by ${authority}, valid for ${formatDuration(leftMs)}`;
  // Authorities of public certificates renew them about a month before.
  return leftMs < SOON_MS
    ? warning('way.tls', what, 'See why it has not been renewed: after that no machine connects.')
    : ok('way.tls', what);
}

function transportProblem(
  { failure, step }: Extract<Transport, { kind: 'failed' }>,
  { host, port, proxy }: Destination,
  nowMs: number,
): Finding {
  const { what, remedy } = splitRemedy(failure.why);
  const letOut = `Let this machine connect to ${host}, port ${port}, or set HTTPS_PROXY to a proxy that does.`;
  switch (failure.kind) {
    case 'settings':
      return problem('way.proxy', what, remedy ?? 'Set HTTPS_PROXY to http://host:port.');
    case 'dns':
      return problem('way.dns', what, remedy ?? 'Check /etc/resolv.conf, and the name in LEASH_URL.');
    case 'refused':
      return problem(
        'way.tcp',
        `${host}:${port} refuses connections: nothing listens there, or a firewall rejects them`,
        `Check host and port in LEASH_URL. ${letOut}`,
      );
    case 'unreachable':
      return problem('way.tcp', `${host}:${port} can’t be reached: ${what}`, letOut);
    case 'timeout':
      return timeoutProblem(what, step, letOut);
    case 'proxy':
      return problem(
        'way.proxy',
        what,
        remedy ??
          `Check HTTPS_PROXY${proxy === null ? '' : ` and that ${proxy.host} is up`}, or except the host: NO_PROXY=${host}`,
      );
    case 'tls':
      return problem(
        'way.tls',
        /expired|not valid yet/.test(what)
          ? `${what}. Here it is ${new Date(nowMs).toISOString().slice(0, 16)}Z`
          : what,
        remedy ?? 'See what breaks TLS on the way: a firewall that inspects it needs an exception for this host.',
      );
    case 'not_http':
    case 'broken':
    case 'aborted':
      return problem('way.tcp', what, remedy ?? letOut);
  }
}

function timeoutProblem(what: string, step: Step | null, letOut: string): Finding {
  switch (step?.kind) {
    case 'tunnel':
      return problem(
        'way.proxy',
        `the proxy does not answer: ${what}`,
        'Ask who runs the proxy whether it may connect there.',
      );
    case 'tls':
      return problem(
        'way.tls',
        `TLS does not get through: ${what}`,
        'A firewall that inspects TLS, or a tunnel that drops large packets (MTU), is likely: except this host.',
      );
    case 'tcp':
    case undefined:
      return problem('way.tcp', `${what}: a firewall probably drops the packets`, letOut);
  }
}

/** Refusals say what to do behind a colon. The proxy that was used may follow in parentheses. */
export function splitRemedy(why: string): { readonly what: string; readonly remedy: string | null } {
  const [, what, remedy, via = ''] =
    /^(.*?): ((?:set|allow|check|renew|correct) .*?)( \(via proxy [^)]*\))?$/.exec(why) ?? [];
  if (what === undefined || remedy === undefined) return { what: why, remedy: null };
  return { what: what + via, remedy: `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.` };
}

export type Health =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly isHealthy: boolean;
      readonly detail: string | null;
      readonly location: string | null;
    }
  | { readonly kind: 'failed'; readonly failure: RequestFailure };

export function judgeHealth(health: Health, url: string): Finding {
  if (health.kind === 'failed') {
    return problem(
      'way.https',
      `${url} was reached, but did not respond: ${health.failure.why}`,
      'See whether it is up in a browser; a firewall that inspects HTTPS may be in between.',
    );
  }
  const { status, isHealthy, detail, location } = health;
  if (isHealthy) return ok('way.https', 'GET /healthz: the control plane works');
  if (location !== null)
    return problem('way.https', `${url} redirects to ${location}`, 'Set LEASH_URL to the control plane’s own address.');
  if (detail !== null)
    return problem(
      'way.https',
      `the control plane does not work (${status}): ${detail}`,
      'Correct that where it is deployed.',
    );
  return problem(
    'way.https',
    `${url} does not look like a Leash control plane (${status} at /healthz)`,
    'Check LEASH_URL; a proxy or a login page in between may respond instead.',
  );
}

/** How a WebSocket was answered on the path that wrappers use. */
export type Upgrade =
  | { readonly kind: 'open'; readonly roundTripsMs: readonly number[] }
  | { readonly kind: 'silent'; readonly waitedMs: number }
  /** The control plane's own refusal. */
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string }
  /** Somebody else's. */
  | { readonly kind: 'intercepted'; readonly status: number; readonly by: string | null }
  | { readonly kind: 'failed'; readonly why: string };

const MIDDLEBOX =
  'Something on the way (a proxy, a firewall that inspects HTTPS, an access gateway) does not pass WebSockets on: let it except this host.';

export function judgeUpgrade(upgrade: Upgrade, canRun: string): Finding[] {
  switch (upgrade.kind) {
    case 'open':
      return [
        ok('way.upgrade', `a WebSocket opens; the token may run ${canRun}`),
        ok(
          'way.round_trip',
          `a heartbeat takes ${formatDuration(Math.max(1, Math.min(...upgrade.roundTripsMs)))} there and back`,
        ),
      ];
    case 'silent':
      return [
        problem(
          'way.upgrade',
          `a WebSocket opens, but no frame came back within ${formatDuration(upgrade.waitedMs)}`,
          MIDDLEBOX,
        ),
      ];
    case 'intercepted':
      return [
        problem(
          'way.upgrade',
          `the WebSocket was answered with status ${upgrade.status}${upgrade.by === null ? '' : ` by ${upgrade.by}`}, not by the control plane`,
          MIDDLEBOX,
        ),
      ];
    case 'failed':
      return [problem('way.upgrade', `HTTPS works, and a WebSocket does not open: ${upgrade.why}`, MIDDLEBOX)];
    // It is the token's fault, not the way's.
    case 'refused':
      return [note('way.upgrade', `WebSockets get through; the control plane refuses this one (${upgrade.status})`)];
  }
}

/**
 * Chooses the route to the control plane: direct, or through a proxy. It follows the environment variables that curl uses,
 * too: `https_proxy` for `https:` and `wss:`, `http_proxy` for `http:` and `ws:`, `all_proxy` for both, and `no_proxy`; each also in capitals. Only
 * `no_proxy` makes exceptions, even for this machine itself.
 */
import { BlockList, isIP } from 'node:net';

export interface ProxyServer {
  /** Whether the connection to the proxy itself uses TLS. */
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | null;
}

export type Route =
  | { readonly kind: 'direct' }
  | { readonly kind: 'proxy'; readonly proxy: ProxyServer }
  /** The configured proxy can't be used. A direct connection would ignore the user's setting. */
  | { readonly kind: 'none'; readonly why: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** @param target a `ws:`, `wss:`, `http:` or `https:` URL */
export function routeTo(target: URL, env: Environment): Route {
  const name = isSecure(target) ? 'https_proxy' : 'http_proxy';
  const setting = proxySetting(name, env) ?? proxySetting('all_proxy', env);
  if (setting === null || isExempt(bareHost(target), portOf(target), variable('no_proxy', env) ?? '')) {
    return { kind: 'direct' };
  }
  const proxy = readProxy(setting.value);
  // The value may hold a password: it is not repeated.
  if (proxy === null) return { kind: 'none', why: `${setting.name} is not a proxy URL of the form http://host:port` };
  return { kind: 'proxy', proxy };
}

/** The proxy for a person: without the password. */
export function describeProxy({ secure, host, port }: ProxyServer): string {
  return `proxy ${secure ? 'https' : 'http'}://${authority(host, port)}`;
}

/** `host:port`, as in a URL. */
export function authority(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** A URL's host without the brackets of an IPv6 address. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** A URL's port, also when that is its scheme's own. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return isSecure(url) ? 443 : 80;
}

/** Whether its scheme uses TLS. */
export function isSecure({ protocol }: URL): boolean {
  return protocol === 'wss:' || protocol === 'https:';
}

function proxySetting(name: string, env: Environment): { name: string; value: string } | null {
  // In a CGI program HTTP_PROXY comes from the client's `Proxy` header.
  const upper = name === 'http_proxy' && env.REQUEST_METHOD !== undefined ? null : name.toUpperCase();
  for (const each of upper === null ? [name] : [name, upper]) {
    const value = env[each]?.trim();
    if (value !== undefined && value !== '') return { name: each, value };
  }
  return null;
}

function variable(name: string, env: Environment): string | null {
  return env[name]?.trim() || env[name.toUpperCase()]?.trim() || null;
}

function readProxy(text: string): ProxyServer | null {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `http://${text}`);
  } catch {
    // Not a URL.
    return null;
  }
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') return null;
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`;
  return {
    secure: url.protocol === 'https:',
    host: bareHost(url),
    port: portOf(url),
    authorization: credentials === ':' ? null : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A literal % in a password.
    return text;
  }
}

/** @param list names (with all that is below them), addresses and subnets, each with a port or without; or `*` */
function isExempt(host: string, port: number, list: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry === '*' || matches(name, port, entry));
}

function matches(host: string, port: number, entry: string): boolean {
  const [, bracketed, plain, entryPort] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  // An entry with several colons and no brackets is an IPv6 address or subnet.
  const pattern = bracketed ?? plain ?? entry;
  if (pattern === '' || (entryPort !== undefined && Number(entryPort) !== port)) return false;
  if (isIP(host) !== 0) return isInSubnet(host, pattern);
  const domain = pattern.replace(/^\*?\./, '');
  return host === domain || host.endsWith(`.${domain}`);
}

function isInSubnet(address: string, pattern: string): boolean {
  const [base = '', bits] = pattern.split('/');
  const family = isIP(base);
  if (family === 0) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  try {
    if (bits === undefined) list.addAddress(base, type);
    else list.addSubnet(base, Number(bits), type);
  } catch {
    // More bits than an address has: matches nothing.
    return false;
  }
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

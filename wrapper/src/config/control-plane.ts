/** The control plane that a run is reported to, and the token for it. */
import { DEFAULT_CONFIG_PATH } from './config-file.ts';

export type TokenSource =
  | { readonly kind: 'value'; readonly token: string }
  /** Read for each connection, so that a token can be replaced while runs continue. */
  | { readonly kind: 'file'; readonly path: string };

export interface ControlPlane {
  /** `ws:` or `wss:`, without a slash at the end. */
  readonly baseUrl: string;
  readonly token: TokenSource;
  /** A file of authorities (PEM) to trust in addition to Node's own. */
  readonly caFile: string | null;
  /** Environment variables, of which those that name proxies are used. */
  readonly proxy: Environment;
}

export type Configuration =
  | { readonly kind: 'supervised'; readonly controlPlane: ControlPlane; readonly warning: string | null }
  | { readonly kind: 'unsupervised'; readonly why: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads flags and environment. With invalid settings the command runs unsupervised. */
export function configure(
  flags: { readonly url: string | null; readonly tokenFile: string | null },
  env: Environment,
): Configuration {
  const url = flags.url ?? nonEmpty(env.LEASH_URL);
  const token = tokenSource(flags.tokenFile, env);
  const missing = [url === null ? 'LEASH_URL' : null, token === null ? 'LEASH_TOKEN (or LEASH_TOKEN_FILE)' : null];
  if (url === null || token === null) {
    return {
      kind: 'unsupervised',
      why: `set ${missing.filter((each) => each !== null).join(' and ')}, e.g. in ${DEFAULT_CONFIG_PATH}`,
    };
  }
  const parsed = readBaseUrl(url);
  if (parsed === null) return { kind: 'unsupervised', why: `LEASH_URL is not an http(s) URL: ${url}` };
  const { baseUrl } = parsed;
  const controlPlane = { baseUrl, token, caFile: nonEmpty(env.LEASH_CA_FILE), proxy: env };
  const warning = parsed.isUnencrypted ? `the token is sent unencrypted to ${new URL(baseUrl).host}; use https` : null;
  return { kind: 'supervised', controlPlane, warning };
}

function tokenSource(flag: string | null, env: Environment): TokenSource | null {
  const token = nonEmpty(env.LEASH_TOKEN);
  const file = nonEmpty(env.LEASH_TOKEN_FILE);
  if (flag !== null) return { kind: 'file', path: flag };
  if (token !== null) return { kind: 'value', token };
  return file === null ? null : { kind: 'file', path: file };
}

const SCHEMES: Record<string, string> = { 'https:': 'wss:', 'wss:': 'wss:', 'http:': 'ws:', 'ws:': 'ws:' };

export interface BaseUrl {
  /** `ws:` or `wss:`, without a slash at the end. */
  readonly baseUrl: string;
  /** Whether others could read on the way what is sent there. */
  readonly isUnencrypted: boolean;
}

/** Reads the address of a control plane, of which each of these schemes is allowed. Null for anything else. */
export function readBaseUrl(text: string): BaseUrl | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // Not a URL.
    return null;
  }
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined || url.host === '') return null;
  const path = url.pathname.replace(/\/+$/, '');
  return { baseUrl: `${scheme}//${url.host}${path}`, isUnencrypted: scheme === 'ws:' && !isLoopback(url.hostname) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

function nonEmpty(text: string | undefined): string | null {
  const trimmed = text?.trim();
  return trimmed === undefined || trimmed === '' ? null : trimmed;
}

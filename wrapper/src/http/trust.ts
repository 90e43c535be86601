/**
 * Chooses which certificates are accepted.
 *
 * Node's own list of authorities, and those in the user's file, LEASH_CA_FILE. What adds to Node's list or replaces it
 * (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE and the like) is meant for the command: the launcher hides it from Node, and where
 * Node was started without the launcher, the list that is built into it is used.
 *
 * A company usually makes its private authority known to the whole machine instead: when a certificate is from an
 * authority that is not on that list, the machine's own list is asked too, from where distributions keep it, so that this
 * works on every version of Node. It is not asked before, because reading it takes up to 50 ms of CPU, which every cron
 * line would pay.
 */
import { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { readBlockingFile } from '../config/blocking-file.ts';
import { describeError } from '../logging/log.ts';
import { InvalidSettings } from './refusal.ts';

export interface Trust {
  /** The user's file of authorities, PEM; read for each connection, so that it can be replaced while runs continue. */
  readonly caFile: string | null;
  /** Whether to trust this machine's list as well. */
  readonly withSystem: boolean;
}

/** Debian and Alpine, Fedora and its relatives (new and old), SUSE, BSD and macOS. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** NODE_OPTIONS may ask for less, for the command. */
export const OLDEST_TLS = 'TLSv1.2';

/** The last one, cached: creating one takes tens of milliseconds, and a link may connect thousands of times. */
let made: { readonly from: string; readonly context: SecureContext } | null = null;

/**
 * What to pass to `tls.connect` as `secureContext`; undefined: Node's own.
 *
 * Rejects with InvalidSettings when the user's file can't be used.
 */
export async function trustedAuthorities({ caFile, withSystem }: Trust): Promise<SecureContext | undefined> {
  const own = caFile === null ? [] : await readAuthorities(caFile);
  const system = withSystem ? await readSystem() : [];
  if (own.length + system.length === 0 && !isNodesListChanged()) return undefined;
  const from = [...own, ...system].join('\n');
  if (made?.from !== from) {
    const tls = await import('node:tls');
    const ca = [...new Set([...nodesOwn(tls), ...own, ...system])];
    made = { from, context: tls.createSecureContext({ ca, minVersion: OLDEST_TLS }) };
  }
  return made.context;
}

async function readAuthorities(path: string): Promise<string[]> {
  const text = await readBlockingFile(path).catch((error: unknown) => {
    throw new InvalidSettings(`cannot read the certificates in LEASH_CA_FILE: ${describeError(error)}`);
  });
  const certificates = certificatesIn(text);
  if (certificates.length === 0) throw new InvalidSettings(`LEASH_CA_FILE: ${path} contains no certificate (PEM)`);
  for (const [index, certificate] of certificates.entries()) {
    // Node would silently skip what it can't parse.
    try {
      new X509Certificate(certificate);
    } catch {
      // OpenSSL's own message would not help.
      throw new InvalidSettings(`LEASH_CA_FILE: certificate ${index + 1} in ${path} is damaged`);
    }
  }
  return certificates;
}

async function readSystem(): Promise<string[]> {
  for (const path of SYSTEM_FILES) {
    const certificates = await certificatesOf(path);
    if (certificates.length > 0) return certificates;
  }
  return [];
}

/** What changes the list of authorities that Node was started with. */
const LIST_VARIABLES = ['NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const LIST_OPTION = /--use[-_](openssl|system|bundled)[-_]ca\b/;

function isNodesListChanged(): boolean {
  const { env, execArgv } = process;
  return LIST_VARIABLES.some((name) => env[name]) || LIST_OPTION.test([env.NODE_OPTIONS, ...execArgv].join(' '));
}

/** What Node trusts by default: a list that is passed to it replaces all of it. */
function nodesOwn(tls: typeof import('node:tls')): readonly string[] {
  // A distribution may have built its Node with another list than the bundled one. (Since Node 22.15.)
  if (typeof tls.getCACertificates === 'function' && !isNodesListChanged()) return tls.getCACertificates('default');
  return tls.rootCertificates;
}

async function certificatesOf(path: string): Promise<string[]> {
  // The file may be missing or not readable: then it adds nothing.
  return certificatesIn(await readBlockingFile(path).catch(() => ''));
}

function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

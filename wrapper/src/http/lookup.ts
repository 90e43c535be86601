/**
 * Finds the control plane's address without the system's resolver, where possible.
 *
 * getaddrinfo blocks a thread of the pool for as long as a dead name server takes, which is tens of seconds, and the
 * process can't exit before that thread returns: a cron line would hang because DNS does. So a name server is asked
 * directly first; the system's resolver, which knows more sources of names, only when it is likely to be quick.
 */
import { promises as dns, type LookupAddress } from 'node:dns';
import fs from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { hasCode } from '../host/error-code.ts';
import { describeError } from '../logging/log.ts';

export interface NameSources {
  /** Asks a name server; rejects with the code ETIMEOUT when none answers. */
  query(host: string, family: 4 | 6): Promise<string[]>;
  /** The text of the hosts file, empty when there is none. */
  hosts(): Promise<string>;
  /** The system's resolver, which may block. */
  system(host: string): Promise<LookupAddress[]>;
}

/** A host has no address, or no name server says which. */
export class LookupError extends Error {}

const QUERY_TIMEOUT_MS = 1_500;
const QUERY_TRIES = 2;

/** The addresses of `host`, at least one. Rejects when it has none or no server answers. */
export async function findAddresses(host: string, sources: NameSources): Promise<LookupAddress[]> {
  if (isLocal(host) || namesIn(await sources.hosts()).has(host.toLowerCase())) return sources.system(host);
  const answers = await Promise.allSettled([sources.query(host, 4), sources.query(host, 6)]);
  const addresses = answers.flatMap((answer, index) =>
    answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family: index === 0 ? 4 : 6 })) : [],
  );
  if (addresses.length > 0) return addresses;
  if (answers.some((answer) => answer.status === 'rejected' && isTimeout(answer.reason))) {
    throw new Error(`no name server responded for ${host}`);
  }
  // A name server answers and doesn't know the name: the system may, from a search domain or another source.
  return sources.system(host);
}

/** For `net.connect`. */
export const lookup: LookupFunction = (host, options, done) => {
  findAddresses(host, realSources()).then(
    (all) => {
      const fitting = all.filter(({ family }) => !options.family || options.family === family);
      const [first] = fitting;
      if (first === undefined) done(new LookupError(`${host} has no address`), '', 0);
      else if (options.all) done(null, fitting);
      else done(null, first.address, first.family);
    },
    (error: unknown) => done(new LookupError(describeError(error), { cause: error }), '', 0),
  );
};

function realSources(): NameSources {
  const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  return {
    query: (host, family) => (family === 4 ? resolver.resolve4(host) : resolver.resolve6(host)),
    hosts: () => fs.readFile('/etc/hosts', 'utf8').catch(() => ''),
    system: (host) => dns.lookup(host, { all: true }),
  };
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function namesIn(hosts: string): Set<string> {
  const lines = hosts.split('\n').map((line) => line.replace(/#.*/, '').trim().toLowerCase());
  return new Set(lines.flatMap((line) => line.split(/\s+/).slice(1)));
}

function isTimeout(error: unknown): boolean {
  return hasCode(error, 'ETIMEOUT');
}

/**
 * Which addresses alerts may be sent to: by default only public ones by HTTPS, because whoever may create an alert must not be
 * able to make the control plane call what only it can reach: loopback, a private network, a cloud's metadata service.
 *
 * It is checked when a rule is stored, for a clear error, and again before each request. It knows names and literal
 * addresses only; where a name leads is decided by whoever connects: see docs/security.md.
 */

/**
 * `refused`: why, as a sentence without the URL: its path is often a secret.
 */
export type AddressCheck =
  | { readonly kind: 'allowed'; readonly url: URL }
  | { readonly kind: 'refused'; readonly reason: string };

/** Below this only 443: what listens there otherwise isn't a web server, and may take our bytes for something else. */
const FIRST_UNPRIVILEGED_PORT = 1024;

/** Names that lead into a private network, or that no public name server knows: RFC 6761, RFC 6762, RFC 8375, ICANN. */
const PRIVATE_SUFFIXES = [
  'localhost',
  'local',
  'localdomain',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
] as const;

/** Prefixes that aren't public unicast addresses (IANA's special-purpose registry, multicast and reserved ones). */
const SPECIAL_IPV4: readonly (readonly [prefix: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  // Carrier-grade NAT. Alibaba Cloud has its metadata service in it.
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Link-local: most clouds have their metadata service at 169.254.169.254.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/**
 * IPv6 the other way round: global unicast is 2000::/3, and loopback, private, link-local, mapped (::ffff:0:0/96), translated
 * (64:ff9b::/96) and multicast addresses are all outside of it. These in it are special, or carry an IPv4 address.
 */
const SPECIAL_IPV6: readonly (readonly [groups: readonly number[], bits: number])[] = [
  [[0x2001, 0x0000], 23],
  [[0x2001, 0x0db8], 32],
  [[0x2002], 16],
  [[0x3fff], 20],
];

/** Whether an alert may be sent to a URL. @param allowsPrivate the deployment allows any address, and plain HTTP */
export function checkReceiverUrl(text: string, allowsPrivate: boolean): AddressCheck {
  const url = URL.parse(text);
  if (url === null) return refused('It must be a URL, such as https://hooks.example.com/leash.');
  if (url.username !== '' || url.password !== '') return refused('It must not contain a user name or password.');
  if (allowsPrivate) {
    const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
    return isWeb ? { kind: 'allowed', url } : refused('It must begin with https:// or http://.');
  }
  if (url.protocol !== 'https:') return refused('It must begin with https://.');
  if (url.port !== '' && Number(url.port) < FIRST_UNPRIVILEGED_PORT) {
    return refused(`Its port must be 443, or ${FIRST_UNPRIVILEGED_PORT} or above.`);
  }
  // The parser has turned other spellings of an IPv4 address, such as 0x7f.1 or 2130706433, into the usual one.
  if (!isPublicHost(url.hostname)) {
    return refused(
      'Its host is private, local or reserved, and this deployment sends alerts to public addresses only (ALLOW_PRIVATE_ALERTS).',
    );
  }
  return { kind: 'allowed', url };
}

function refused(reason: string): AddressCheck {
  return { kind: 'refused', reason };
}

/** @param hostname as a parsed URL has it: in lower case, IPv6 addresses in brackets */
function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPublicIpv6(parseIpv6(hostname.slice(1, -1)));
  const name = hostname.replace(/\.$/, '');
  const ipv4 = parseIpv4(name);
  if (ipv4 !== null) return !SPECIAL_IPV4.some(([prefix, bits]) => hasPrefix(ipv4, parseIpv4(prefix) ?? [], 8, bits));
  // A name without a dot is one of the local network.
  if (!name.includes('.')) return false;
  return !PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}

function isPublicIpv6(groups: readonly number[]): boolean {
  if (!hasPrefix(groups, [0x2000], 16, 3)) return false;
  return !SPECIAL_IPV6.some(([prefix, bits]) => hasPrefix(groups, prefix, 16, bits));
}

function parseIpv4(text: string): number[] | null {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) ? text.split('.').map(Number) : null;
}

/** @param text as the URL parser writes it: never with a dotted part at its end */
function parseIpv6(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return groups(head);
  const [before, after] = [groups(head), groups(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

/** Whether the first bits of an address, in parts of `size` bits, are those of the prefix. */
function hasPrefix(address: readonly number[], prefix: readonly number[], size: number, bits: number): boolean {
  for (let from = 0, index = 0; from < bits; from += size, index++) {
    const ignored = Math.max(0, size - (bits - from));
    if ((address[index] ?? 0) >> ignored !== (prefix[index] ?? 0) >> ignored) return false;
  }
  return true;
}

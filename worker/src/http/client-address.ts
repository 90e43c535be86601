/** Where a call came from. */
import type { CallOrigin } from '../audit-entry.ts';
import type { AppContext } from './context.ts';

/** Set by Cloudflare, whatever the client sent; null on the local runtime. */
export function clientAddress(c: AppContext): string | null {
  return c.req.header('CF-Connecting-IP') ?? null;
}

/** The part of an address that a provider's customer can't choose: an IPv4 address, the /64 of an IPv6 address. */
export function network(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.toLowerCase().split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = Math.max(0, 8 - groups(head).length - groups(tail).length);
  const all = [
    ...groups(head),
    ...Array.from({ length: address.includes('::') ? missing : 0 }, () => '0'),
    ...groups(tail),
  ];
  const prefix = all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${prefix.join(':')}::/64`;
}

export function callOrigin(c: AppContext): CallOrigin {
  return { address: clientAddress(c), requestId: c.get('requestId') };
}

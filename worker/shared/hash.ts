import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * SHA-256 in hex. For secrets of at least 128 random bits, which need no salt and no slow hash.
 *
 * `createHash`, not `crypto.subtle`: it is synchronous, so no other event comes between an object's check and its write.
 */
export function sha256(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares two hex digests of the same length in constant time. */
export function equalDigests(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
}

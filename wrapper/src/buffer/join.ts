/** Joins byte arrays in reusable memory: V8 would let much garbage of this kind pile up. */
import { MAX_UNACKED_BYTES } from '#protocol/limits';

const RING_BYTES = 2 * MAX_UNACKED_BYTES;
let ring: Uint8Array | null = null;
let position = 0;

/**
 * The bytes of all `parts`, `size` in total. They are valid until MAX_UNACKED_BYTES more have been joined, and not across an
 * `await`.
 */
export function joinBytes(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  if (size > MAX_UNACKED_BYTES) return Buffer.concat(parts, size);
  ring ??= new Uint8Array(RING_BYTES);
  if (position + size > RING_BYTES) position = 0;
  const whole = ring.subarray(position, position + size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  position += size;
  return whole;
}

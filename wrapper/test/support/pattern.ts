/** Bytes that identify their offset. */
export function patternBytes(start: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = Math.imul(start + at, 0x9e3779b1) >>> 13;
  return bytes;
}

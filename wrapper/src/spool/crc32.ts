/** CRC-32 as in zip and Ethernet: reflected polynomial 0xEDB88320. */

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** For Node before 20.16, whose zlib has none. */
export function tableCrc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let at = 0; at < bytes.length; at += 1) crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

let implementation: ((bytes: Uint8Array) => number) | null = null;

export function crc32(bytes: Uint8Array): number {
  // Not an import: zlib takes milliseconds to load, and the command is started before it is needed.
  implementation ??= process.getBuiltinModule?.('node:zlib').crc32 ?? tableCrc32;
  return implementation(bytes);
}

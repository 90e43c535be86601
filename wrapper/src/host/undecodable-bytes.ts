/**
 * Names, arguments and variables are bytes to the kernel, and strings to us. Bytes that are not UTF-8 are kept in strings as
 * Python does (surrogateescape): each is the lone surrogate U+DC00 + byte, which no UTF-8 text has. Such a string can be
 * searched, cut and joined like any other, and encodes to the same bytes again.
 *
 * Node itself replaces each such byte, and each lone surrogate, by U+FFFD.
 */
const UNDECODABLE = /[\udc80-\udcff]/g;
/** Not `g`, which keeps state between calls. */
const HAS_UNDECODABLE = /(?<![\ud800-\udbff])[\udc80-\udcff]/;
const REPLACEMENT = '\ufffd';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes any bytes. */
export function fromBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeByParts(bytes);
  }
}

/** Decodes each valid sequence as its character, and each other byte by itself. */
function decodeByParts(bytes: Uint8Array): string {
  let text = '';
  let valid = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += strict.decode(bytes.subarray(valid, at)) + String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      valid = at + 1;
    }
    at += Math.max(length, 1);
  }
  return text + strict.decode(bytes.subarray(valid));
}

/** The length of the valid UTF-8 sequence that begins here; 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch {
    return 0;
  }
}

/** The inverse of `fromBytes`. */
export function toBytes(text: string): Buffer {
  if (!hasUndecodable(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  let start = 0;
  for (const { index } of undecodable(text)) {
    parts.push(Buffer.from(text.slice(start, index)), Buffer.from([text.charCodeAt(index) - 0xdc00]));
    start = index + 1;
  }
  parts.push(Buffer.from(text.slice(start)));
  return Buffer.concat(parts);
}

/** Whether Node would encode this string as other bytes. */
export function hasUndecodable(text: string): boolean {
  return HAS_UNDECODABLE.test(text);
}

/** Whether this string, made by Node, may stand for other bytes than its own. */
export function isLossy(text: string): boolean {
  return text.includes(REPLACEMENT);
}

/** As Node shows it. */
export function lossy(text: string): string {
  return text.replace(UNDECODABLE, (each, at: number) => (isLone(text, at) ? REPLACEMENT : each));
}

/** For people: such a byte as `\xe9`. */
export function shown(text: string): string {
  return text.replace(UNDECODABLE, (each, at: number) => (isLone(text, at) ? `\\x${byteOf(each)}` : each));
}

function byteOf(surrogate: string): string {
  return (surrogate.charCodeAt(0) - 0xdc00).toString(16);
}

function undecodable(text: string): { readonly index: number }[] {
  return [...text.matchAll(UNDECODABLE)].filter(({ index }) => isLone(text, index));
}

/** Not the second half of a character beyond the first 65536. */
function isLone(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  return !(before >= 0xd800 && before <= 0xdbff);
}

/** As an argument of the shell's `printf %b`, which makes `toBytes` of it. */
export function forPrintf(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replace(UNDECODABLE, (each, at: number, all: string) =>
      isLone(all, at) ? `\\0${(each.charCodeAt(0) - 0xdc00).toString(8)}` : each,
    );
}

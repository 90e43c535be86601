/**
 * Output on disk: records of at most 64 KiB, one after the other. Each is a header of six little-endian 32-bit words and
 * the bytes, filled up with zeros to whole words:
 *
 *     word 0      'LSR1'
 *     word 1      checksum of all that follows, the filling included
 *     word 2      stream: 1 stdout, 2 stderr
 *     word 3      how many bytes
 *     words 4, 5  offset of the first byte in the run's log: low, high
 *
 * After a loss of power a file may end in the middle of a record, in zeros or in what the disk held before: the checksum
 * tells. What is no record is passed over up to the next one: a bad spot costs what lies in it, not what follows. The
 * checksum is a plain mixing of words, made for that alone: Node 18 has no CRC, and this is faster than any of its hashes.
 */

import type { StreamName } from '#protocol/output-frame';
import { joined } from '../buffer/join.ts';
import type { OutputChunk } from '../buffer/output-buffer.ts';

export const RECORD_HEADER_BYTES = 24;
export const MAX_RECORD_BYTES = 64 * 1024;
const MAGIC = 0x3152534c;
const HEADER_WORDS = RECORD_HEADER_BYTES / 4;

interface Record {
  readonly stream: StreamName;
  readonly start: number;
  readonly end: number;
  /** Where in the block its bytes lie. */
  readonly position: number;
  /** Where in the block the next record lies. */
  readonly next: number;
}

/** What a block holds at an offset. */
export type Found =
  | OutputChunk
  /** Nothing at or after the offset: the records end at `position`, cleanly or in the middle of one. */
  | { readonly kind: 'end'; readonly position: number }
  /** What lies at `position` is no record, and there is none after it. */
  | { readonly kind: 'corrupt'; readonly position: number };

/** A stretch of records in memory, on its way to the disk or back. */
export class RecordBlock {
  /** All of its memory; what is in use is `used`. */
  readonly memory: Uint8Array;
  readonly #words: Int32Array;
  #used = 0;
  #outputBytes = 0;
  #start: number | null = null;
  #end = 0;
  /** Reading mostly goes on where it stopped: the record that was found last. */
  #last: Record | null = null;

  /** @param capacityBytes a multiple of four */
  constructor(capacityBytes: number) {
    const buffer = new ArrayBuffer(capacityBytes);
    this.memory = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
  }

  /** Bytes of memory in use. */
  get used(): number {
    return this.#used;
  }

  /** Bytes of output that were appended. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** The offset of the first byte that was appended; null when none was. */
  get start(): number | null {
    return this.#start;
  }

  /** The offset after the last byte that was appended. */
  get end(): number {
    return this.#end;
  }

  /** Says that `memory` has been filled with so many bytes of a file. */
  filled(bytes: number): void {
    this.#used = bytes;
    this.#last = null;
  }

  /** Forgets all that is in it. */
  clear(): void {
    this.filled(0);
    this.#outputBytes = 0;
    this.#start = null;
  }

  /**
   * Adds output that comes after all that is already there.
   *
   * @returns how many bytes it took: fewer when it is full
   */
  append(stream: StreamName, start: number, bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length) {
      const room = this.memory.length - this.#used - RECORD_HEADER_BYTES;
      const length = Math.min(bytes.length - taken, room, MAX_RECORD_BYTES);
      if (length <= 0) break;
      this.#appendRecord(stream, start + taken, bytes.subarray(taken, taken + length));
      taken += length;
    }
    return taken;
  }

  /** What there is at `offset`: at most `maxBytes` of one stream, a gap up to the next record, or nothing. */
  read(offset: number, maxBytes: number): Found {
    const first = this.#find(offset);
    if ('kind' in first) return first;
    if (first.start > offset) return { kind: 'gap', from: offset, to: first.start };
    return { kind: 'bytes', stream: first.stream, start: offset, bytes: this.#collect(first, offset, maxBytes) };
  }

  /** The offset after the last good record; null when there is none. */
  lastOffset(): number | null {
    let end: number | null = null;
    for (let record = this.#recordAt(0); !('kind' in record); record = this.#recordAt(record.next)) {
      end = Math.max(end ?? 0, record.end);
    }
    return end;
  }

  #appendRecord(stream: StreamName, start: number, bytes: Uint8Array): void {
    const word = this.#used / 4;
    const position = this.#used + RECORD_HEADER_BYTES;
    const next = position + paddedLength(bytes.length);
    this.memory.set(bytes, position);
    this.memory.fill(0, position + bytes.length, next);
    this.#words[word] = MAGIC;
    this.#words[word + 2] = stream === 'stdout' ? 1 : 2;
    this.#words[word + 3] = bytes.length;
    this.#words[word + 4] = start % 2 ** 32;
    this.#words[word + 5] = Math.floor(start / 2 ** 32);
    this.#words[word + 1] = checksum(this.#words, word + 2, next / 4);
    this.#used = next;
    this.#start ??= start;
    this.#end = start + bytes.length;
    this.#outputBytes += bytes.length;
  }

  /** The record that holds `offset`, else the first one after it. */
  #find(offset: number): Record | Extract<Found, { kind: 'end' | 'corrupt' }> {
    const known = this.#last;
    let record = known !== null && known.start <= offset ? known : this.#recordAt(0);
    while (!('kind' in record) && record.end <= offset) record = this.#recordAt(record.next);
    if (!('kind' in record)) this.#last = record;
    return record;
  }

  #collect(first: Record, offset: number, maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let size = 0;
    let at = offset;
    for (let record = first; ; ) {
      const from = record.position + at - record.start;
      const length = Math.min(record.end - at, maxBytes - size);
      parts.push(this.memory.subarray(from, from + length));
      size += length;
      at += length;
      if (size >= maxBytes) break;
      const next = this.#recordAt(record.next);
      if ('kind' in next || next.stream !== first.stream || next.start > at || next.end <= at) break;
      record = next;
    }
    return joined(parts, size);
  }

  /** The record at `position`, else the first good one after it, else what there is instead. */
  #recordAt(position: number): Record | Extract<Found, { kind: 'end' | 'corrupt' }> {
    const found = this.#parse(position);
    if (!('kind' in found)) return found;
    for (let at = position + 4; at + RECORD_HEADER_BYTES < this.#used; at += 4) {
      if (this.#words[at / 4] !== MAGIC) continue;
      const later = this.#parse(at);
      if (!('kind' in later)) return later;
    }
    return found;
  }

  #parse(position: number): Record | Extract<Found, { kind: 'end' | 'corrupt' }> {
    if (position + RECORD_HEADER_BYTES > this.#used) return { kind: 'end', position };
    const word = position / 4;
    const length = this.#word(word + 3);
    const stream = this.#word(word + 2);
    const bad =
      this.#word(word) !== MAGIC || length === 0 || length > MAX_RECORD_BYTES || (stream !== 1 && stream !== 2);
    if (bad) return { kind: 'corrupt', position };
    const from = position + RECORD_HEADER_BYTES;
    const next = from + paddedLength(length);
    if (next > this.#used) return { kind: 'end', position };
    if (checksum(this.#words, word + 2, next / 4) !== this.#words[word + 1]) return { kind: 'corrupt', position };
    const start = this.#word(word + 4) + this.#word(word + 5) * 2 ** 32;
    return { stream: stream === 1 ? 'stdout' : 'stderr', start, end: start + length, position: from, next };
  }

  /** Unsigned. */
  #word(index: number): number {
    return (this.#words[index] ?? 0) >>> 0;
  }
}

function paddedLength(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/** Of the words [from, to): four lanes, so that the processor can work on all at once. */
function checksum(words: Int32Array, from: number, to: number): number {
  let a = HEADER_WORDS;
  let b = MAGIC;
  let c = to - from;
  let d = 1;
  let at = from;
  for (; at + 3 < to; at += 4) {
    a = mix(a, words[at] ?? 0, 0x9e3779b1);
    b = mix(b, words[at + 1] ?? 0, 0x85ebca77);
    c = mix(c, words[at + 2] ?? 0, 0xc2b2ae3d);
    d = mix(d, words[at + 3] ?? 0, 0x27d4eb2f);
  }
  for (; at < to; at += 1) a = mix(a, words[at] ?? 0, 0x9e3779b1);
  return mix(mix(mix(a, b, 0x85ebca77), c, 0xc2b2ae3d), d, 0x27d4eb2f);
}

function mix(sum: number, word: number, factor: number): number {
  const mixed = Math.imul(sum ^ word, factor);
  return (mixed ^ (mixed >>> 15)) | 0;
}

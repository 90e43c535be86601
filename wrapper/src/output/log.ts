/** A run's output as one log of bytes, held until the control plane has stored it. */
import type { StreamName } from '#protocol/output-frame';
import { Deque } from './deque.ts';

/** What comes next in the log. */
export type Piece =
  | { readonly kind: 'bytes'; readonly stream: StreamName; readonly start: number; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number };

interface Chunk {
  readonly kind: 'chunk';
  readonly stream: StreamName;
  readonly start: number;
  /** May be larger than what is in it. */
  buffer: Uint8Array;
  length: number;
}

interface Hole {
  readonly kind: 'hole';
  readonly start: number;
  length: number;
}

type Item = Chunk | Hole;

/** Reads smaller than this are gathered; larger ones are kept as they came. */
const GATHER_BELOW_BYTES = 16 * 1024;
const GATHERED_BYTES = 64 * 1024;
/** What a chunk is charged beyond its bytes: a command that prints single bytes must not get past the bound. */
const CHUNK_COST = 256;

/**
 * The unacked part of a run's output, bounded in memory. When more comes than it may hold, it keeps the oldest part (the
 * head) and the newest (the tail) and drops what is between; what was dropped is told as gaps with exact offsets.
 */
export class OutputLog {
  readonly #capacity: number;
  readonly #headCapacity: number;
  readonly #head = new Deque<Item>();
  readonly #tail = new Deque<Chunk>();
  #headCost = 0;
  /** Set when something did not fit, so that smaller chunks after it don't turn one gap into many. */
  #headFull = false;
  #tailCost = 0;
  #start = 0;
  #end = 0;
  #dropped = 0;

  /** @param capacity bytes that may be held, bookkeeping included; a quarter of it is for the head */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#headCapacity = Math.floor(capacity / 4);
  }

  /** Everything before this offset is stored elsewhere and no longer held. */
  get start(): number {
    return this.#start;
  }

  /** The offset of the next byte. */
  get end(): number {
    return this.#end;
  }

  /** Bytes that had to be dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds bytes at the end. The log may keep `bytes` itself: don't change it afterwards. */
  append(stream: StreamName, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (!this.#gather(stream, bytes)) {
      this.#tail.push({ kind: 'chunk', stream, start: this.#end, buffer: bytes, length: bytes.length });
      this.#tailCost += bytes.length + CHUNK_COST;
    }
    this.#end += bytes.length;
    while (this.#headCost + this.#tailCost > this.#capacity && this.#tail.length > 1) this.#makeRoom();
  }

  /** Forgets everything before `offset`. */
  free(offset: number): void {
    const upTo = Math.min(offset, this.#end);
    if (upTo <= this.#start) return;
    this.#start = upTo;
    for (let item = this.#head.at(0); item !== undefined && itemEnd(item) <= upTo; item = this.#head.at(0)) {
      this.#head.shift();
      this.#headCost -= costOf(item);
    }
    if (this.#headCost < this.#headCapacity / 2) this.#headFull = false;
    for (let item = this.#tail.at(0); item !== undefined && itemEnd(item) <= upTo; item = this.#tail.at(0)) {
      this.#tail.shift();
      this.#tailCost -= costOf(item);
    }
  }

  /**
   * What there is to send from `offset` on: at most `maxBytes` of one stream, or a whole gap.
   *
   * @returns null when `offset` is the end
   */
  read(offset: number, maxBytes: number): Piece | null {
    if (offset < this.#start) return { kind: 'gap', from: offset, to: this.#heldFrom() };
    if (offset >= this.#end || maxBytes <= 0) return null;
    const index = this.#find(offset);
    const item = this.#itemAt(index);
    if (item === undefined) return null;
    if (item.kind === 'hole') return { kind: 'gap', from: offset, to: itemEnd(item) };
    return { kind: 'bytes', stream: item.stream, start: offset, bytes: this.#collect(index, item, offset, maxBytes) };
  }

  /** Where the first byte that is really held lies: a gap may follow what was freed. */
  #heldFrom(): number {
    const first = this.#head.at(0);
    return first?.kind === 'hole' ? itemEnd(first) : this.#start;
  }

  #collect(index: number, first: Chunk, offset: number, maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let size = 0;
    let at = index;
    for (let item: Item | undefined = first; item?.kind === 'chunk' && item.stream === first.stream; ) {
      const from = at === index ? offset - item.start : 0;
      const part = item.buffer.subarray(from, Math.min(item.length, from + maxBytes - size));
      parts.push(part);
      size += part.length;
      if (size >= maxBytes) break;
      at += 1;
      item = this.#itemAt(at);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size);
  }

  /** Adds a small read to the last chunk, if that is of the same stream and has room. */
  #gather(stream: StreamName, bytes: Uint8Array): boolean {
    const last = this.#tail.last();
    if (last === undefined || last.stream !== stream || bytes.length >= GATHER_BELOW_BYTES) return false;
    const length = last.length + bytes.length;
    if (length > GATHERED_BYTES) return false;
    if (length > last.buffer.length) {
      const grown = new Uint8Array(Math.min(GATHERED_BYTES, length * 2));
      grown.set(last.buffer.subarray(0, last.length));
      this.#tailCost += grown.length - last.buffer.length;
      last.buffer = grown;
    }
    last.buffer.set(bytes, last.length);
    last.length = length;
    return true;
  }

  /** Lets the oldest of the tail become head, or be dropped when the head is full. */
  #makeRoom(): void {
    const oldest = this.#tail.shift();
    if (oldest === undefined) return;
    this.#tailCost -= costOf(oldest);
    if (!this.#headFull && this.#headCost + costOf(oldest) <= this.#headCapacity) {
      this.#head.push(oldest);
      this.#headCost += costOf(oldest);
      return;
    }
    this.#headFull = true;
    const from = Math.max(oldest.start, this.#start);
    this.#dropped += itemEnd(oldest) - from;
    const last = this.#head.last();
    if (last?.kind === 'hole') last.length += oldest.length;
    else this.#head.push({ kind: 'hole', start: from, length: itemEnd(oldest) - from });
  }

  #itemAt(index: number): Item | undefined {
    return index < this.#head.length ? this.#head.at(index) : this.#tail.at(index - this.#head.length);
  }

  /** The index of the item that `offset` lies in. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#head.length + this.#tail.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const item = this.#itemAt(middle);
      if (item !== undefined && itemEnd(item) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function itemEnd(item: Item): number {
  return item.start + item.length;
}

function costOf(item: Item): number {
  return item.kind === 'chunk' ? item.buffer.length + CHUNK_COST : 0;
}

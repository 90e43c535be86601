/** A run's output in memory, as one sequence of bytes, held until the control plane has stored it. */

import type { StreamName } from '#protocol/output-frame';
import { BLOCK_BYTES, BlockPool } from './block-pool.ts';
import { Deque } from './deque.ts';
import { joinBytes } from './join.ts';

/** The next part of the output. */
export type OutputPart =
  | { readonly kind: 'bytes'; readonly stream: StreamName; readonly start: number; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number };

interface BufferedBytes {
  readonly kind: 'bytes';
  readonly stream: StreamName;
  readonly start: number;
  /** May be larger than what is in it. */
  buffer: Uint8Array;
  length: number;
}

interface BufferedGap {
  readonly kind: 'gap';
  readonly start: number;
  length: number;
}

type Item = BufferedBytes | BufferedGap;

/** What an item costs beyond its bytes: a command that prints single bytes must not exceed the bound. */
const ITEM_COST = 256;

/**
 * The unacked part of a run's output, bounded in memory. When there is more than it may hold, it keeps the oldest part (the
 * head) and the newest (the tail) and drops what is between, which is reported as gaps with exact offsets.
 */
export class OutputBuffer {
  readonly #capacity: number;
  readonly #headCapacity: number;
  readonly #pool: BlockPool;
  readonly #head = new Deque<Item>();
  readonly #tail = new Deque<BufferedBytes>();
  #headCost = 0;
  /** Set when a chunk did not fit, so that smaller ones after it don't turn one gap into many. */
  #headFull = false;
  #tailCost = 0;
  #start = 0;
  #end = 0;
  #droppedBytes = 0;

  /**
   * @param capacity bytes that may be held, bookkeeping included; a quarter of it is for the head
   * @param start where it begins: what comes before is stored elsewhere
   */
  constructor(capacity: number, start = 0) {
    this.#capacity = capacity;
    this.#start = start;
    this.#end = start;
    this.#headCapacity = Math.floor(capacity / 4);
    // A small buffer needs small blocks, or a single one would be more than its head may hold.
    this.#pool = new BlockPool(Math.max(1, Math.min(BLOCK_BYTES, Math.floor(capacity / 20))));
  }

  /** Everything before this offset is stored elsewhere and no longer held. */
  get start(): number {
    return this.#start;
  }

  /** The offset of the next byte. */
  get end(): number {
    return this.#end;
  }

  /** Memory in use, bookkeeping included. */
  get cost(): number {
    return this.#headCost + this.#tailCost;
  }

  /** Bytes that had to be dropped so far. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** Adds bytes at the end. They are copied. */
  append(stream: StreamName, bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.length; ) {
      const rest = taken === 0 ? bytes : bytes.subarray(taken);
      const length = this.#fillLast(stream, rest) || this.#addItem(stream, rest);
      taken += length;
      this.#end += length;
      while (this.cost > this.#capacity && this.#tail.length > 1) this.#makeRoom();
    }
  }

  /** Frees everything before `offset`. */
  free(offset: number): void {
    const upTo = Math.min(offset, this.#end);
    if (upTo <= this.#start) return;
    this.#start = upTo;
    for (let item = this.#head.at(0); item !== undefined && itemEnd(item) <= upTo; item = this.#head.at(0)) {
      this.#head.shift();
      this.#headCost -= costOf(item);
      this.#recycle(item);
    }
    if (this.#headCost < this.#headCapacity / 2) this.#headFull = false;
    for (let item = this.#tail.at(0); item !== undefined && itemEnd(item) <= upTo; item = this.#tail.at(0)) {
      this.#tail.shift();
      this.#tailCost -= costOf(item);
      this.#recycle(item);
    }
  }

  /**
   * The output from `offset` on: at most `maxBytes` of one stream, or a whole gap. The bytes are a view: they are valid until
   * the next call of `append` or `free`.
   *
   * @returns null when `offset` is the end
   */
  read(offset: number, maxBytes: number): OutputPart | null {
    if (offset < this.#start) return { kind: 'gap', from: offset, to: this.#heldFrom() };
    if (offset >= this.#end || maxBytes <= 0) return null;
    const index = this.#find(offset);
    const item = this.#itemAt(index);
    if (item === undefined) return null;
    if (item.kind === 'gap') return { kind: 'gap', from: offset, to: itemEnd(item) };
    return { kind: 'bytes', stream: item.stream, start: offset, bytes: this.#collect(index, item, offset, maxBytes) };
  }

  /** The oldest item; a view like that of `read`. */
  oldest(): OutputPart | null {
    const item = this.#itemAt(0);
    if (item === undefined) return null;
    const start = Math.max(item.start, this.#start);
    if (item.kind === 'gap') return { kind: 'gap', from: start, to: itemEnd(item) };
    const bytes = item.buffer.subarray(start - item.start, item.length);
    return { kind: 'bytes', stream: item.stream, start, bytes };
  }

  /** Everything that is held, from `start` on, as views like that of `read`. */
  *held(): Generator<Extract<OutputPart, { kind: 'bytes' }>> {
    for (let index = 0; index < this.#head.length + this.#tail.length; index += 1) {
      const item = this.#itemAt(index);
      if (item?.kind !== 'bytes') continue;
      const start = Math.max(item.start, this.#start);
      const bytes = item.buffer.subarray(start - item.start, item.length);
      if (bytes.length > 0) yield { kind: 'bytes', stream: item.stream, start, bytes };
    }
  }

  /** The offset of the first byte that is held: a gap may follow what was freed. */
  #heldFrom(): number {
    const first = this.#head.at(0);
    return first?.kind === 'gap' ? itemEnd(first) : this.#start;
  }

  #collect(index: number, first: BufferedBytes, offset: number, maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let size = 0;
    let at = index;
    for (let item: Item | undefined = first; item?.kind === 'bytes' && item.stream === first.stream; ) {
      const from = at === index ? offset - item.start : 0;
      const part = item.buffer.subarray(from, Math.min(item.length, from + maxBytes - size));
      parts.push(part);
      size += part.length;
      if (size >= maxBytes) break;
      at += 1;
      item = this.#itemAt(at);
    }
    return joinBytes(parts, size);
  }

  /**
   * Adds to the last item, if that is of the same stream and has room.
   *
   * @returns how many bytes were added
   */
  #fillLast(stream: StreamName, bytes: Uint8Array): number {
    const last = this.#tail.last();
    if (last === undefined || last.stream !== stream) return 0;
    const taken = Math.min(bytes.length, this.#pool.blockBytes - last.length);
    if (taken === 0) return 0;
    const length = last.length + taken;
    if (length > last.buffer.length) {
      const grown = this.#allocate(length * 2);
      grown.set(last.buffer.subarray(0, last.length));
      this.#tailCost += grown.length - last.buffer.length;
      last.buffer = grown;
    }
    last.buffer.set(taken === bytes.length ? bytes : bytes.subarray(0, taken), last.length);
    last.length = length;
    return taken;
  }

  /** @returns how many bytes the new item took */
  #addItem(stream: StreamName, bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.#pool.blockBytes);
    // After a full item of the same stream this one will be filled too: a small buffer would have to grow.
    const goesOn = this.#tail.last()?.stream === stream;
    const buffer = this.#allocate(goesOn ? this.#pool.blockBytes : length);
    buffer.set(length === bytes.length ? bytes : bytes.subarray(0, length));
    this.#tail.push({ kind: 'bytes', stream, start: this.#end, buffer, length });
    this.#tailCost += buffer.length + ITEM_COST;
    return length;
  }

  /** Allocates at least `length`; a whole block when that is more than half of one. */
  #allocate(length: number): Uint8Array {
    return length > this.#pool.blockBytes / 2 ? this.#pool.acquire() : new Uint8Array(length);
  }

  #recycle(item: Item): void {
    if (item.kind === 'bytes') this.#pool.release(item.buffer);
  }

  /** Moves the oldest item of the tail to the head, or drops it when the head is full. */
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
    this.#droppedBytes += itemEnd(oldest) - from;
    const last = this.#head.last();
    if (last?.kind === 'gap') last.length += oldest.length;
    else this.#head.push({ kind: 'gap', start: from, length: itemEnd(oldest) - from });
    this.#recycle(oldest);
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
  return item.kind === 'bytes' ? item.buffer.length + ITEM_COST : 0;
}

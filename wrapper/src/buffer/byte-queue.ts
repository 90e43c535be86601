/** A queue of bytes, copied into reusable blocks, so that output leaves no garbage. */
import { Deque } from './deque.ts';

const BLOCK_BYTES = 64 * 1024;
/** Blocks kept for reuse; more are needed only while a reader is far behind. */
const SPARE_BLOCKS = 16;

interface Block {
  readonly bytes: Uint8Array;
  from: number;
  to: number;
}

export class ByteQueue {
  readonly #blocks = new Deque<Block>();
  readonly #spare: Block[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `bytes` to the end. */
  push(bytes: Uint8Array): void {
    let copied = 0;
    while (copied < bytes.length) {
      const block = this.#blockWithRoom();
      const part = bytes.subarray(copied, copied + BLOCK_BYTES - block.to);
      block.bytes.set(part, block.to);
      block.to += part.length;
      copied += part.length;
    }
    this.#length += bytes.length;
  }

  /** The first bytes, as many as are contiguous; they don't change until they are discarded. Empty when there are none. */
  peek(): Uint8Array {
    const first = this.#blocks.at(0);
    return first === undefined ? NOTHING : first.bytes.subarray(first.from, first.to);
  }

  /** Removes the first `count` bytes of what `peek` returned. */
  discard(count: number): void {
    const first = this.#blocks.at(0);
    if (first === undefined) return;
    first.from += count;
    this.#length -= count;
    if (first.from < first.to) return;
    this.#blocks.shift();
    if (this.#spare.length < SPARE_BLOCKS) this.#spare.push(first);
  }

  clear(): void {
    while (this.#blocks.shift() !== undefined);
    this.#spare.length = 0;
    this.#length = 0;
  }

  #blockWithRoom(): Block {
    const last = this.#blocks.last();
    if (last !== undefined && last.to < BLOCK_BYTES) return last;
    const block = this.#spare.pop() ?? { bytes: Buffer.allocUnsafeSlow(BLOCK_BYTES), from: 0, to: 0 };
    block.from = 0;
    block.to = 0;
    this.#blocks.push(block);
    return block;
  }
}

const NOTHING = new Uint8Array(0);

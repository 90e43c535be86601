/**
 * Reusable blocks of memory, so that much output causes no garbage collection. There are never more than were once in use
 * at the same time, which the caller bounds.
 */

export const BLOCK_BYTES = 64 * 1024;

export class BlockPool {
  readonly blockBytes: number;
  readonly #idle: Uint8Array[] = [];

  constructor(blockBytes: number = BLOCK_BYTES) {
    this.blockBytes = blockBytes;
  }

  /** A block with arbitrary content. */
  acquire(): Uint8Array {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }

  /** Takes back a block from `acquire`, or ignores any other array. The caller must hold no view of it. */
  release(block: Uint8Array): void {
    if (block.length === this.blockBytes) this.#idle.push(block);
  }
}

/**
 * Blocks of memory that are used again and again, so that a torrent of output leaves nothing to collect. There are never
 * more than were once in use at the same time, which is for who takes them to bound.
 */

export const BLOCK_BYTES = 64 * 1024;

export class BlockPool {
  readonly blockBytes: number;
  readonly #idle: Uint8Array[] = [];

  constructor(blockBytes: number = BLOCK_BYTES) {
    this.blockBytes = blockBytes;
  }

  /** A block with anything in it. */
  acquire(): Uint8Array {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }

  /** Gives back what `take` gave, or lets any other array go. The giver holds no view of it any more. */
  release(block: Uint8Array): void {
    if (block.length === this.blockBytes) this.#idle.push(block);
  }
}

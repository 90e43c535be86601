/** Blocks of memory that are used again and again, so that a torrent of output leaves nothing to collect. */

export const BLOCK_BYTES = 64 * 1024;
/** What is kept for later use; more than that goes back to the system. */
const MAX_IDLE_BLOCKS = 16;

export class BlockPool {
  readonly blockBytes: number;
  readonly #idle: Uint8Array[] = [];

  constructor(blockBytes: number = BLOCK_BYTES) {
    this.blockBytes = blockBytes;
  }

  /** A block with anything in it. */
  take(): Uint8Array {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }

  /** Gives back what `take` gave, or lets any other array go. The giver holds no view of it any more. */
  give(block: Uint8Array): void {
    if (block.length === this.blockBytes && this.#idle.length < MAX_IDLE_BLOCKS) this.#idle.push(block);
  }
}

/**
 * Reusable memory for output frames that are being sent: V8 would let many times as much garbage of this kind pile up.
 *
 * Frames follow each other in blocks. A frame may be a line or 256 KiB: with one block a frame, a command that prints
 * to stdout and stderr in turns would take thousands of blocks.
 */
import { MAX_OUTPUT_FRAME_BYTES } from '#protocol/limits';
import { OUTPUT_HEADER_BYTES, type OutputFrame, writeOutputFrame } from '#protocol/output-frame';

export interface EncodedFrame {
  readonly bytes: Uint8Array;
  /** Call it once, when the bytes are no longer needed. */
  release(): void;
}

interface Block {
  readonly memory: Uint8Array;
  used: number;
  /** How many of its frames have not been released. */
  frames: number;
}

export class FrameMemory {
  /** The block that is being filled; other blocks in use are referenced by their frames. */
  #current: Block = newBlock();
  readonly #idle: Block[] = [];

  encode(frame: OutputFrame): EncodedFrame {
    const length = OUTPUT_HEADER_BYTES + frame.bytes.length;
    if (this.#current.used + length > MAX_OUTPUT_FRAME_BYTES) this.#current = this.#idle.pop() ?? newBlock();
    const block = this.#current;
    const bytes = block.memory.subarray(block.used, block.used + length);
    writeOutputFrame(frame, bytes);
    block.used += length;
    block.frames += 1;
    return { bytes, release: () => this.#release(block) };
  }

  #release(block: Block): void {
    block.frames -= 1;
    if (block.frames > 0) return;
    block.used = 0;
    if (block !== this.#current) this.#idle.push(block);
  }
}

function newBlock(): Block {
  return { memory: new Uint8Array(MAX_OUTPUT_FRAME_BYTES), used: 0, frames: 0 };
}

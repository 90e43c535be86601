/** A run's output, part of which must be fetched before it can be read, as if it lay on a disk. */

import type { Random } from '#testing/random';
import type { ByteRange } from '#testing/stored-run';
import type { OutputBuffer, OutputPart } from '../../../src/buffer/output-buffer.ts';
import type { OutputSource } from '../../../src/link/reportable-run.ts';
import type { VirtualTime } from './virtual-time.ts';

export class FetchedOutput implements OutputSource {
  onReadable: () => void = () => {};
  /** What the source had to drop, of what was requested. Freed output isn't dropped. */
  readonly dropped: ByteRange[] = [];
  readonly #buffer: OutputBuffer;
  readonly #missing: readonly ByteRange[];
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #laterPercent: number;
  /** Where reading can continue at once. */
  #fetched: number | null = null;
  #fetching = 0;

  /**
   * @param missing what is missing although `buffer` has it
   * @param laterPercent how often requested output must be fetched
   */
  constructor(
    buffer: OutputBuffer,
    missing: readonly ByteRange[],
    time: VirtualTime,
    random: Random,
    laterPercent: number,
  ) {
    this.#buffer = buffer;
    this.#missing = missing;
    this.#time = time;
    this.#random = random;
    this.#laterPercent = laterPercent;
  }

  get start(): number {
    return this.#buffer.start;
  }

  get end(): number {
    return this.#buffer.end;
  }

  free(offset: number): void {
    this.#buffer.free(offset);
  }

  read(offset: number, maxBytes: number): OutputPart | { readonly kind: 'later' } | null {
    const chunk = this.#read(offset, maxBytes);
    if (chunk?.kind === 'gap') {
      const dropped = { from: Math.max(chunk.from, this.start), to: chunk.to };
      if (dropped.to > dropped.from) this.dropped.push(dropped);
    }
    if (chunk?.kind !== 'bytes' || this.#fetched === offset || !this.#random.percent(this.#laterPercent)) return chunk;
    this.#fetch(offset);
    return { kind: 'later' };
  }

  /** A newer fetch replaces a pending one, as if one file were read at a time. */
  #fetch(offset: number): void {
    this.#fetching += 1;
    const fetching = this.#fetching;
    this.#time.after(this.#random.below(80), () => {
      if (this.#fetching !== fetching) return;
      this.#fetched = offset;
      this.onReadable();
    });
  }

  #read(offset: number, maxBytes: number): OutputPart | null {
    if (offset < this.start) return this.#buffer.read(offset, maxBytes);
    const gap = this.#missing.find((each) => each.from <= offset && offset < each.to);
    if (gap !== undefined) return { kind: 'gap', from: offset, to: gap.to };
    const next = Math.min(...this.#missing.map((each) => each.from).filter((from) => from > offset));
    return this.#buffer.read(offset, Math.min(maxBytes, next - offset));
  }
}

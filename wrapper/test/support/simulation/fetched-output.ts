/** A run's output, part of which must be fetched before it can be read, as if it lay on a disk. */

import type { Random } from '#testing/random';
import type { ByteRange } from '#testing/stored-run';
import type { OutputBuffer, OutputChunk } from '../../../src/buffer/output-buffer.ts';
import type { OutputSource } from '../../../src/link/reportable-run.ts';
import type { VirtualTime } from './virtual-time.ts';

export class FetchedOutput implements OutputSource {
  onReadable: () => void = () => {};
  /** What the source truly had to drop, as far as it was asked for. What was freed was not dropped. */
  readonly dropped: ByteRange[] = [];
  readonly #log: OutputBuffer;
  readonly #holes: readonly ByteRange[];
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #laterPercent: number;
  /** Where reading may go on at once. */
  #fetched: number | null = null;
  #fetching = 0;

  /**
   * @param holes what is missing although `log` has it
   * @param laterPercent how often what is asked for must be fetched
   */
  constructor(log: OutputBuffer, holes: readonly ByteRange[], time: VirtualTime, random: Random, laterPercent: number) {
    this.#log = log;
    this.#holes = holes;
    this.#time = time;
    this.#random = random;
    this.#laterPercent = laterPercent;
  }

  get start(): number {
    return this.#log.start;
  }

  get end(): number {
    return this.#log.end;
  }

  free(offset: number): void {
    this.#log.free(offset);
  }

  read(offset: number, maxBytes: number): OutputChunk | { readonly kind: 'later' } | null {
    const chunk = this.#read(offset, maxBytes);
    if (chunk?.kind === 'gap') {
      const dropped = { from: Math.max(chunk.from, this.start), to: chunk.to };
      if (dropped.to > dropped.from) this.dropped.push(dropped);
    }
    if (chunk?.kind !== 'bytes' || this.#fetched === offset || !this.#random.percent(this.#laterPercent)) return chunk;
    this.#fetch(offset);
    return { kind: 'later' };
  }

  /** A newer fetch takes the place of one under way, as with one file that is read at a time. */
  #fetch(offset: number): void {
    this.#fetching += 1;
    const fetching = this.#fetching;
    this.#time.after(this.#random.below(80), () => {
      if (this.#fetching !== fetching) return;
      this.#fetched = offset;
      this.onReadable();
    });
  }

  #read(offset: number, maxBytes: number): OutputChunk | null {
    if (offset < this.start) return this.#log.read(offset, maxBytes);
    const hole = this.#holes.find((each) => each.from <= offset && offset < each.to);
    if (hole !== undefined) return { kind: 'gap', from: offset, to: hole.to };
    const next = Math.min(...this.#holes.map((each) => each.from).filter((from) => from > offset));
    return this.#log.read(offset, Math.min(maxBytes, next - offset));
  }
}

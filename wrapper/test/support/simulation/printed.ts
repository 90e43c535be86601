/** What a simulated command has printed: the truth that is compared with. */
import type { StreamName } from '#protocol/output-frame';
import { randomFrom } from '#testing/random';

/** A prime, so that no shift by a round number looks right. */
const PERIOD = 1_000_003;
const PATTERN = pattern();

interface Stretch {
  readonly start: number;
  end: number;
  readonly stream: StreamName;
}

export class Printed {
  readonly #stretches: Stretch[] = [];
  #end = 0;

  get end(): number {
    return this.#end;
  }

  /** @returns the new bytes */
  print(stream: StreamName, length: number): Uint8Array {
    const start = this.#end;
    this.#end += length;
    const last = this.#stretches.at(-1);
    if (last?.stream === stream) last.end = this.#end;
    else this.#stretches.push({ start, end: this.#end, stream });
    return bytesAt(start, length);
  }

  /** Whether these are the bytes that were printed from `start` on, all to `stream`. */
  isRight(stream: StreamName, start: number, bytes: Uint8Array): boolean {
    const end = start + bytes.length;
    const stretch = this.#stretches.find((each) => each.start <= start && start < each.end);
    if (stretch === undefined || stretch.stream !== stream || stretch.end < end) return false;
    return Buffer.compare(bytesAt(start, bytes.length), bytes) === 0;
  }

  /** What was printed before `end`, by stream. */
  upTo(end: number): { stream: StreamName; bytes: Uint8Array }[] {
    return this.#stretches
      .filter((each) => each.start < end)
      .map((each) => ({ stream: each.stream, bytes: bytesAt(each.start, Math.min(each.end, end) - each.start) }));
  }
}

function bytesAt(start: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const from = (start + at) % PERIOD;
    at += PATTERN.copy(bytes, at, from, Math.min(PERIOD, from + length - at));
  }
  return bytes;
}

function pattern(): Buffer {
  const random = randomFrom(1);
  return Buffer.from(Array.from({ length: PERIOD }, () => random.below(256)));
}

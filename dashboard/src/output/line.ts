/** One line of output: pieces of text, each with its look and its stream, and a cursor that may go back. */
import type { StreamName } from '#protocol/output-frame';

export interface Segment {
  readonly text: string;
  /** Class names, '' for none. */
  readonly style: string;
  readonly stream: StreamName;
}

export class TextLine {
  readonly kind = 'text';
  /** Goes up by one with every line of a log. */
  readonly number: number;
  /** Where in the run's output it begins. */
  readonly offset: number;
  #segments: Segment[] = [];
  #length = 0;
  #cursor = 0;

  constructor(number: number, offset: number) {
    this.number = number;
    this.offset = offset;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get length(): number {
    return this.#length;
  }

  get text(): string {
    return this.#segments.map((segment) => segment.text).join('');
  }

  write(segment: Segment): void {
    const end = this.#cursor + segment.text.length;
    if (this.#cursor === this.#length) {
      append(this.#segments, segment);
    } else {
      const rest = end < this.#length ? cut(this.#segments, end, this.#length) : [];
      this.#segments = cut(this.#segments, 0, this.#cursor);
      for (const piece of [segment, ...rest]) append(this.#segments, piece);
    }
    this.#cursor = end;
    this.#length = Math.max(this.#length, end);
  }

  toStart(): void {
    this.#cursor = 0;
  }

  back(): void {
    this.#cursor = Math.max(0, this.#cursor - 1);
  }

  erase(part: 'after' | 'before' | 'all', stream: StreamName): void {
    const before: Segment = { text: ' '.repeat(this.#cursor), style: '', stream };
    const kept = part === 'after' ? cut(this.#segments, 0, this.#cursor) : this.#cursor > 0 ? [before] : [];
    if (part === 'before') kept.push(...cut(this.#segments, this.#cursor, this.#length));
    this.#segments = kept;
    if (part !== 'before') this.#length = this.#cursor;
  }
}

/** Bytes that are missing for ever, in the place where they are missing. */
export interface GapLine {
  readonly kind: 'gap';
  readonly number: number;
  readonly offset: number;
  readonly missing: number;
}

export type Line = TextLine | GapLine;

/** Joins what looks the same, so that a line that grows in small steps stays one piece. */
function append(segments: Segment[], segment: Segment): void {
  const last = segments.at(-1);
  if (last !== undefined && last.style === segment.style && last.stream === segment.stream) {
    segments[segments.length - 1] = { ...last, text: last.text + segment.text };
  } else {
    segments.push(segment);
  }
}

function cut(segments: readonly Segment[], from: number, to: number): Segment[] {
  const kept: Segment[] = [];
  let at = 0;
  for (const segment of segments) {
    const text = segment.text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (text !== '') kept.push({ ...segment, text });
    at += segment.text.length;
  }
  return kept;
}

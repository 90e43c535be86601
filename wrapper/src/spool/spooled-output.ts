/** The output on disk of a run whose wrapper is gone: read to be sent, deleted once it is stored. */
import { stat } from 'node:fs/promises';
import type { OutputPart } from '../buffer/output-buffer.ts';
import { deleteSegment, SegmentList, type SpoolContents } from './segment-list.ts';
import { type Later, lastOffsetIn, SegmentReader } from './segment-reader.ts';

export class SpooledOutput {
  /** Called, never from within `read`, when output that was `later` can be read. */
  onReadable: () => void = () => {};
  readonly end: number;
  readonly #segments: SegmentList;
  readonly #reader: SegmentReader;
  #start: number;
  #deleting: Promise<void> = Promise.resolve();

  private constructor(segments: SegmentList, end: number) {
    this.#segments = segments;
    this.end = end;
    this.#start = Math.min(segments.at(0)?.start ?? end, end);
    this.#reader = new SegmentReader(segments, () => this.onReadable());
  }

  /**
   * @param finalOffset where the output ended, if that is known: what is missing before it is a gap. Otherwise it ends
   *   with the last byte on disk.
   * @throws file system errors when the directory can't be read: its output must not be reported as missing
   */
  static async open(directory: string, finalOffset: number | null): Promise<SpooledOutput> {
    const segments = await SegmentList.ofDirectory(directory);
    return new SpooledOutput(segments, finalOffset ?? (await lastOffset(segments)));
  }

  /** Everything before this offset is stored at the control plane, or lost. */
  get start(): number {
    return this.#start;
  }

  /** Drops everything before `offset`, and deletes the files that hold nothing else. */
  free(offset: number): void {
    const upTo = Math.min(offset, this.end);
    if (upTo <= this.#start) return;
    this.#start = upTo;
    const obsolete = this.#segments.removeBefore(upTo, this.end);
    this.#deleting = this.#deleting.then(async () => {
      for (const segment of obsolete) await deleteSegment(segment);
    });
  }

  /**
   * The output at `offset`: at most `maxBytes` of one stream, or a gap. The bytes are a view that is valid until the next
   * call of any method, and not across an `await`.
   *
   * @returns null when `offset` is the end; `later` when it must be read from disk first: `onReadable` follows
   */
  read(offset: number, maxBytes: number): OutputPart | Later | null {
    if (offset < this.#start) return { kind: 'gap', from: offset, to: this.#start };
    if (offset >= this.end || maxBytes <= 0) return null;
    return this.#reader.read(offset, maxBytes, this.end);
  }

  /** Stops the callbacks. Resolves when pending deletions are done; other files stay. */
  async close(): Promise<void> {
    this.#reader.close();
    await this.#deleting;
  }
}

/** The output in a run's directory, for a spool that continues it. Throws file system errors. */
export async function scanSpool(directory: string): Promise<SpoolContents> {
  const segments = await SegmentList.ofDirectory(directory);
  const end = await lastOffset(segments);
  for (const segment of segments) {
    segment.size = (await stat(segment.path)).size;
    // An estimate: it includes the headers of the records.
    segment.outputBytes = segment.size;
  }
  return { segments, end };
}

/** Where the output on disk ends. Removes files without a readable record from the end of the list. */
async function lastOffset(segments: SegmentList): Promise<number> {
  for (let last = segments.at(-1); last !== undefined; last = segments.at(-1)) {
    const end = await lastOffsetIn(last);
    if (end !== null) return end;
    segments.remove(last);
  }
  return 0;
}

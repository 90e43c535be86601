/** Reads segment files by offset, a window at a time. What can't be read, for whatever reason, is a gap. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OutputPart } from '../buffer/output-buffer.ts';
import { RecordBlock } from './record-block.ts';
import type { Segment, SegmentList } from './segment-list.ts';

const WINDOW_BYTES = 1024 * 1024;
/** This process lacks something for a while; the file may be fine. */
const TRANSIENT_ERRORS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'EBUSY']);
const RETRY_MS = 1_000;

/** The output is being read from disk: ask again when `onReadable` has been called. */
export interface Later {
  readonly kind: 'later';
}
const LATER: Later = { kind: 'later' };

/** Which part of which file is in memory. */
interface Window {
  readonly segment: Segment;
  /** Position in the file of its first byte; a record begins there. */
  readonly position: number;
  /** The lowest offset that it can be asked for. */
  readonly from: number;
  /** Whether the file ended there when it was read. */
  readonly last: boolean;
}

export class SegmentReader {
  readonly #segments: SegmentList;
  readonly #onReadable: () => void;
  #block: RecordBlock | null = null;
  #window: Window | null = null;
  #loading = false;
  #closed = false;

  /** @param onReadable called, never from within `read`, when output that was `later` can be read */
  constructor(segments: SegmentList, onReadable: () => void) {
    this.#segments = segments;
    this.#onReadable = onReadable;
  }

  /**
   * What there is at `offset`, below `end`. The bytes are a view: valid until the next read.
   *
   * @param end where what is on disk ends: what is missing before it is a gap
   */
  read(offset: number, maxBytes: number, end: number): OutputPart | Later {
    if (this.#loading) return LATER;
    for (;;) {
      const { segment, to } = this.#segments.find(offset, end);
      if (segment === null) return { kind: 'gap', from: offset, to };
      if (this.#window?.segment !== segment || offset < this.#window.from) return this.#load(segment, 0, segment.start);
      const chunk = this.#readWindow(this.#window, offset, maxBytes, to);
      if (chunk !== null) return chunk;
      // Without a single record its name means nothing either: the segment before it may reach further.
      this.#segments.remove(segment);
    }
  }

  /** Stops the callbacks. */
  close(): void {
    this.#closed = true;
  }

  /** @returns null when there is not a single good record in the file */
  #readWindow(window: Window, offset: number, maxBytes: number, to: number): OutputPart | Later | null {
    const block = this.#allocatedBlock();
    const found = block.read(offset, Math.min(maxBytes, to - offset));
    switch (found.kind) {
      case 'bytes':
        return found;
      case 'gap':
        return { ...found, to: Math.min(found.to, to) };
      case 'corrupt':
      case 'end': {
        const position = window.position + found.position;
        // More of a long file, or more of one that is still being written.
        const more = !window.last && window.position + block.used < window.segment.size;
        if (found.kind === 'end' && more) return this.#load(window.segment, position, offset);
        return position === 0 ? null : { kind: 'gap', from: offset, to };
      }
    }
  }

  #allocatedBlock(): RecordBlock {
    this.#block ??= new RecordBlock(WINDOW_BYTES);
    return this.#block;
  }

  #load(segment: Segment, position: number, from: number): Later {
    this.#loading = true;
    this.#window = null;
    void this.#fetch(segment, position, from).then(() => {
      this.#loading = false;
      if (!this.#closed) this.#onReadable();
    });
    return LATER;
  }

  async #fetch(segment: Segment, position: number, from: number): Promise<void> {
    const block = this.#allocatedBlock();
    const wanted = Math.min(WINDOW_BYTES, segment.size - position);
    const bytes = await readWithRetry(segment.path, block.memory, wanted, position);
    if (bytes === null) {
      this.#segments.remove(segment);
      return;
    }
    block.setUsed(bytes);
    this.#window = { segment, position, from, last: bytes < wanted };
  }
}

/** The offset after the last good record of a file; null when there is none. Never fails. */
export async function lastOffsetIn(segment: Segment): Promise<number | null> {
  const block = new RecordBlock(WINDOW_BYTES);
  const bytes = await readWithRetry(segment.path, block.memory, WINDOW_BYTES, 0);
  if (bytes === null) return null;
  block.setUsed(bytes);
  return block.lastOffset();
}

/** @returns how many bytes there were, at most `length`; null when the file can't be read */
async function readWithRetry(
  path: string,
  memory: Uint8Array,
  length: number,
  position: number,
): Promise<number | null> {
  for (;;) {
    try {
      return await readAt(path, memory, length, position);
    } catch (error) {
      // Any file system error: it was deleted, the disk is bad, we may not read it.
      if (!isTransient(error)) return null;
    }
    await sleep(RETRY_MS, undefined, { ref: false });
  }
}

/** @returns how many bytes there were, at most `length` */
async function readAt(path: string, memory: Uint8Array, length: number, position: number): Promise<number> {
  const file: FileHandle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    let count = 0;
    while (count < length) {
      const { bytesRead } = await file.read(memory, count, length - count, position + count);
      if (bytesRead === 0) break;
      count += bytesRead;
    }
    return count;
  } finally {
    await file.close();
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof Error && 'code' in error && TRANSIENT_ERRORS.has(String(error.code));
}

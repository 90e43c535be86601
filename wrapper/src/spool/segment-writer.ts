/** Writes a run's output to segment files, within a quota. One call at a time. */
import { type FileHandle, open } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../host/error-code.ts';
import type { RecordBlock } from './record-block.ts';
import { deleteSegment, outputBytesFrom, type Segment, type SegmentList, type SpoolContents } from './segment-list.ts';

const MAX_SEGMENT_BYTES = 1024 * 1024;
/** Other runs fill the same disk. */
const QUOTA_EVERY_MS = 10_000;
/** With thousands of unsent runs the answer takes seconds; output is written meanwhile, and the answer counts when it comes. */
const QUOTA_WAIT_MS = 250;
/** At most this many files in one sync that is not part of a flush. */
const FILES_PER_SYNC = 8;
const MIN_SEGMENT_BYTES = 8 * 1024;
/** With less than this, nothing is written. */
const MIN_LIMIT_BYTES = 4 * MIN_SEGMENT_BYTES;

/** How large a segment may be: small enough to stay close to the limit by deleting whole segments. */
export function segmentBytes(limitBytes: number): number {
  return Math.max(MIN_SEGMENT_BYTES, Math.min(MAX_SEGMENT_BYTES, Math.floor(limitBytes / 8)));
}

export class SegmentWriter {
  readonly #directory: string;
  readonly #quota: () => Promise<number>;
  #limitBytes: number;
  #quotaAt = Number.NEGATIVE_INFINITY;
  readonly #segments: SegmentList;
  #number = 0;
  #current: { readonly segment: Segment; readonly file: FileHandle } | null = null;
  /** Where the bytes of the last segment end. */
  #end = 0;
  readonly #unsynced = new Set<Segment>();
  #droppedBytes = 0;
  /** Output before this offset is obsolete. */
  #freed = 0;
  #obsolete: Segment[] = [];

  /**
   * @param limitBytes file bytes that may be used until `quota` is called; the first quarter stays, whatever comes after it
   * @param quota what may be used by now, called while the files grow
   * @param onDisk what is there already; its segments are shared with the reader
   */
  constructor(directory: string, limitBytes: number, quota: () => Promise<number>, { segments, end }: SpoolContents) {
    this.#directory = directory;
    this.#limitBytes = limitBytes;
    this.#quota = quota;
    this.#segments = segments;
    this.#end = end;
    for (const { number } of segments) this.#number = Math.max(this.#number, number);
  }

  /** Bytes of output that had to be deleted so far. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** Bytes of output on disk that are not obsolete. */
  get storedBytes(): number {
    return [...this.#segments].reduce((sum, segment) => sum + outputBytesFrom(segment, this.#freed), 0);
  }

  /** Whether something was written that would not survive a loss of power. */
  get hasUnsynced(): boolean {
    return this.#unsynced.size > 0;
  }

  /** Whether there are files to be deleted. */
  get hasObsoleteFiles(): boolean {
    return this.#obsolete.length > 0;
  }

  /**
   * Appends a block whole. When that fails, nothing of it counts as written, and the next call begins a new file.
   *
   * @throws file system errors
   */
  async write(block: RecordBlock, start: number): Promise<void> {
    while (this.hasObsoleteFiles) await this.deleteObsolete();
    const endBefore = this.#end;
    // Set before the write: what is freed meanwhile must not delete the file that these bytes are going to.
    this.#end = block.end;
    try {
      await this.#makeRoom(block.used);
      await this.#append(block, start);
    } catch (error) {
      this.#end = endBefore;
      throw error;
    }
  }

  /** Output before this offset is obsolete. */
  free(offset: number): void {
    this.#freed = offset;
    for (const segment of this.#segments.removeBefore(offset, this.#end)) this.#obsolete.push(segment);
  }

  /** `quota` is called before more is written. */
  invalidateQuota(): void {
    this.#quotaAt = Number.NEGATIVE_INFINITY;
  }

  /** Deletes obsolete files. */
  async deleteObsolete(): Promise<void> {
    for (let segment = this.#obsolete.shift(); segment !== undefined; segment = this.#obsolete.shift()) {
      if (segment === this.#current?.segment) await this.seal();
      this.#unsynced.delete(segment);
      await deleteSegment(segment);
    }
  }

  /**
   * Makes what was written survive a loss of power: all of it, or the newest files, so that a torrent of output doesn't
   * have to go through a slow disk at once.
   *
   * @throws file system errors
   */
  async sync(what: 'all' | 'newest'): Promise<void> {
    const segments = [...this.#unsynced];
    this.#unsynced.clear();
    for (const segment of what === 'all' ? segments : segments.slice(-FILES_PER_SYNC)) await syncFile(segment.path);
    await syncFile(this.#directory);
  }

  /** The next write begins a new file. */
  async seal(): Promise<void> {
    const file = this.#current?.file;
    this.#current = null;
    // Nothing can be done about a close that fails, and what was written before may still be read.
    await file?.close().catch(() => {});
  }

  async #append(block: RecordBlock, start: number): Promise<void> {
    const { segment, file } = await this.#openFile(block.used, start);
    try {
      await writeAll(file, block.memory, block.used, segment.size);
    } catch (error) {
      // A partial write only takes up room: if it can't be truncated, it lies behind `size`, which is not read.
      await file.truncate(segment.size).catch(() => {});
      await this.seal();
      if (segment.size === 0) this.#discard(segment);
      throw error;
    }
    this.#unsynced.add(segment);
    segment.size += block.used;
    segment.outputBytes += block.outputBytes;
  }

  async #openFile(bytes: number, start: number): Promise<{ segment: Segment; file: FileHandle }> {
    const full = (this.#current?.segment.size ?? 0) + bytes > segmentBytes(this.#limitBytes);
    if (this.#current !== null && !full) return this.#current;
    await this.seal();
    this.#number += 1;
    const segment = this.#segments.addLast(this.#directory, this.#number, start);
    try {
      this.#current = { segment, file: await open(segment.path, 'wx', 0o600) };
    } catch (error) {
      this.#segments.remove(segment);
      throw error;
    }
    return this.#current;
  }

  async #makeRoom(bytes: number): Promise<void> {
    await this.#refreshQuota(bytes);
    if (this.#limitBytes < MIN_LIMIT_BYTES) throw new Error('the disk is nearly full');
    while (this.#segments.totalSize() + bytes > this.#limitBytes) {
      const oldest = this.#segments.removeOldestAfterHead(this.#limitBytes / 4);
      if (oldest === null) return;
      this.#droppedBytes += outputBytesFrom(oldest, this.#freed);
      this.#unsynced.delete(oldest);
      await deleteSegment(oldest);
    }
  }

  async #refreshQuota(bytes: number): Promise<void> {
    // A small spool doesn't matter to others, unless it was too much already.
    const matters = this.#segments.totalSize() + bytes > MAX_SEGMENT_BYTES || this.#limitBytes < MIN_LIMIT_BYTES;
    if (!matters || performance.now() - this.#quotaAt < QUOTA_EVERY_MS) return;
    this.#quotaAt = performance.now();
    const answer = this.#quota().then((bytes) => {
      this.#limitBytes = bytes;
    });
    await Promise.race([answer, sleep(QUOTA_WAIT_MS, undefined, { ref: false })]);
  }

  #discard(segment: Segment): void {
    this.#segments.remove(segment);
    this.#obsolete.push(segment);
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, length: number, position: number): Promise<void> {
  for (let written = 0; written < length; ) {
    const result = await file.write(bytes, written, length - written, position + written);
    if (result.bytesWritten === 0) throw new Error('the disk accepts no more data');
    written += result.bytesWritten;
  }
}

/** Of a file or directory. A file that is gone by now needs no sync. */
async function syncFile(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

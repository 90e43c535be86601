/**
 * Moves a run's output from memory to disk, a block at a time with one write at a time, and reads it back. Nothing waits
 * for the disk: while it is slow or fails, the output stays in memory.
 */
import { performance } from 'node:perf_hooks';
import type { OutputPart } from '../buffer/output-buffer.ts';
import { describeError } from '../logging/log.ts';
import { RecordBlock } from './record-block.ts';
import type { SegmentList, SpoolContents } from './segment-list.ts';
import { type Later, SegmentReader } from './segment-reader.ts';
import { SegmentWriter, segmentBytes } from './segment-writer.ts';

/** The memory that a spool relieves. */
export interface SpoolSource {
  /** Moves the output that is due, oldest first, into an empty block; nothing when nothing is due. */
  moveInto(block: RecordBlock): void;
  /** Output that `read` answered with `later` can be read now. */
  onReadable(): void;
  /** The disk has failed: called once a run. */
  onFailure(why: string): void;
}

/** How much of the disk a run may use. */
export interface SpoolLimit {
  readonly bytes: number;
  /** What it may use by now; called while the spool grows. Never fails. */
  readonly recompute: () => Promise<number>;
}

/** A loss of power loses at most what was written in this time. */
const SYNC_EVERY_MS = 5_000;
const MIN_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;

export class Spool {
  readonly #source: SpoolSource;
  readonly #segments: SegmentList;
  readonly #writer: SegmentWriter;
  readonly #reader: SegmentReader;
  readonly #block: RecordBlock;
  #freed = 0;
  #working = false;
  #closed = false;
  #flushing = false;
  #syncedAt = performance.now();
  #wakeTimer: NodeJS.Timeout | null = null;
  #pauseMs = MIN_PAUSE_MS;
  #pausedUntil = 0;
  #failure: string | null = null;
  #hasReported = false;
  #onIdle: () => void = () => {};

  /**
   * @param directory the run's own
   * @param onDisk what it holds already
   */
  constructor(directory: string, limit: SpoolLimit, source: SpoolSource, onDisk: SpoolContents) {
    this.#source = source;
    this.#segments = onDisk.segments;
    this.#writer = new SegmentWriter(directory, limit.bytes, limit.recompute, onDisk);
    this.#reader = new SegmentReader(this.#segments, () => source.onReadable());
    this.#block = new RecordBlock(segmentBytes(limit.bytes));
  }

  /** Bytes of output that were deleted to stay within the limit. */
  get droppedBytes(): number {
    return this.#writer.droppedBytes;
  }

  /** Whether it holds output that is not on disk yet. */
  get isWriting(): boolean {
    return this.#block.start !== null;
  }

  /** Bytes of output on disk that are not obsolete. */
  get storedBytes(): number {
    return this.#writer.storedBytes;
  }

  /** The limit has changed. */
  invalidateQuota(): void {
    this.#writer.invalidateQuota();
  }

  /** Call when output may be due. */
  kick(): void {
    if (this.#working || this.#closed) return;
    if (performance.now() < this.#pausedUntil && !this.#flushing) return;
    this.#fillBlock();
    if (!this.#hasWork()) {
      this.#onIdle();
      return;
    }
    this.#working = true;
    void this.#work().then(() => {
      this.#working = false;
      if (this.#closed) void this.#writer.seal();
      else this.#scheduleNext();
      this.#onIdle();
    });
  }

  /** What there is at `offset`, which lies before `end`, the oldest byte in memory. */
  read(offset: number, maxBytes: number, end: number): OutputPart | Later {
    const inBlock = this.#block.start;
    if (inBlock === null || offset < inBlock) return this.#reader.read(offset, maxBytes, inBlock ?? end);
    const found = this.#block.read(offset, maxBytes);
    return found.kind === 'bytes' || found.kind === 'gap' ? found : { kind: 'gap', from: offset, to: end };
  }

  /** Output before this offset is obsolete. */
  free(offset: number): void {
    this.#freed = offset;
    this.#writer.free(offset);
    // While the block is being written, it must not change.
    if (!this.#working && this.#block.end <= offset) this.#block.clear();
    if (!this.#writer.hasObsoleteFiles) return;
    // Deleting them makes room.
    this.#pausedUntil = 0;
    this.kick();
  }

  /**
   * Writes everything that is due and, where the disk is fast enough, makes it survive a loss of power.
   *
   * @returns null when it is written, else the reason why it isn't
   */
  flush(timeLimitMs: number): Promise<string | null> {
    this.#flushing = true;
    this.#failure = null;
    // A write in progress may fail for a reason that no longer exists.
    let attempts = this.#working ? 2 : 1;
    return new Promise((resolve) => {
      const finish = (result: string | null): void => {
        clearTimeout(limit);
        this.#onIdle = () => {};
        this.#flushing = false;
        resolve(result);
      };
      const limit = setTimeout(() => {
        this.#fillBlock();
        // Where only the sync is missing, everything written outlives this process.
        finish(this.#block.start === null ? null : `the disk took longer than ${timeLimitMs} ms`);
      }, timeLimitMs);
      this.#onIdle = () => {
        if (this.#working) return;
        this.#fillBlock();
        if (this.#failure !== null) attempts -= 1;
        const { isOver, failure } = this.#flushState(attempts);
        if (isOver) {
          finish(failure);
          return;
        }
        this.#failure = null;
        this.kick();
      };
      this.kick();
    });
  }

  /** @param attempts how many more failures a flush may have */
  #flushState(attempts: number): { readonly isOver: boolean; readonly failure: string | null } {
    if (this.#closed) return { isOver: true, failure: 'the spool was closed' };
    if (this.#failure !== null && attempts === 0) return { isOver: true, failure: this.#failure };
    return { isOver: !this.#hasWork(), failure: null };
  }

  /** Nothing more is written or read; a write in progress ends by itself. */
  close(): void {
    this.#closed = true;
    this.#reader.close();
    if (this.#wakeTimer !== null) clearTimeout(this.#wakeTimer);
    if (!this.#working) void this.#writer.seal();
    this.#onIdle();
  }

  #fillBlock(): void {
    if (this.#block.start === null) this.#source.moveInto(this.#block);
  }

  #hasWork(): boolean {
    return this.#block.start !== null || this.#writer.hasObsoleteFiles || this.#syncIsDue();
  }

  #syncIsDue(): boolean {
    if (!this.#writer.hasUnsynced) return false;
    // A flush writes everything first: syncing must not cost the time that writing needs.
    return this.#flushing ? this.#block.start === null : performance.now() - this.#syncedAt >= SYNC_EVERY_MS;
  }

  async #work(): Promise<void> {
    try {
      while (!this.#closed && this.#hasWork()) {
        if (this.#writer.hasObsoleteFiles) await this.#writer.deleteObsolete();
        if (this.#block.start !== null) await this.#writeBlock(this.#block.start);
        this.#fillBlock();
        if (this.#syncIsDue()) await this.#sync();
      }
    } catch (error) {
      // Any file system error: no room, no rights, a bad disk, the directory deleted.
      this.#onFailure(error);
    }
  }

  async #writeBlock(start: number): Promise<void> {
    await this.#writer.write(this.#block, start);
    this.#block.clear();
    // It may have become obsolete while it was being written.
    this.#writer.free(this.#freed);
    this.#pauseMs = MIN_PAUSE_MS;
  }

  async #sync(): Promise<void> {
    this.#syncedAt = performance.now();
    await this.#writer.sync(this.#flushing ? 'all' : 'newest');
  }

  #onFailure(error: unknown): void {
    this.#failure = describeError(error);
    this.#pausedUntil = performance.now() + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    if (this.#hasReported) return;
    this.#hasReported = true;
    this.#source.onFailure(this.#failure);
  }

  /** Schedules the next attempt after a failure, or a sync: no more output may come to trigger it. */
  #scheduleNext(): void {
    const paused = this.#pausedUntil - performance.now();
    if (paused > 0) this.#wakeIn(paused);
    else if (this.#writer.hasUnsynced) this.#wakeIn(this.#syncedAt + SYNC_EVERY_MS - performance.now());
  }

  #wakeIn(ms: number): void {
    if (this.#wakeTimer !== null) clearTimeout(this.#wakeTimer);
    this.#wakeTimer = setTimeout(() => this.kick(), Math.max(1, Math.ceil(ms)));
    this.#wakeTimer.unref();
  }
}

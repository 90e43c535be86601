/** A run's unacked output: the newest in memory, the rest on disk. */
import { MIB } from '#protocol/limits';
import type { StreamName } from '#protocol/output-frame';
import { OutputBuffer, type OutputPart } from '../buffer/output-buffer.ts';
import type { OutputJournal } from '../journal/output-journal.ts';
import type { Log } from '../logging/log.ts';
import type { RecordBlock } from '../spool/record-block.ts';
import { SegmentList, type SpoolContents } from '../spool/segment-list.ts';
import type { Later } from '../spool/segment-reader.ts';
import { Spool, type SpoolLimit, type SpoolSource } from '../spool/spool.ts';

/** How much unacked output is held in memory. */
const MEMORY_BYTES = 4 * MIB;

/** More than this part of the memory is too much to lose in a crash, and goes to disk. */
const SPILL_ABOVE = 1 / 8;
/** So does what stays unacked for longer than this after it was to be sent, and at most twice as long. */
const SPILL_AFTER_MS = 2_000;

/** Above this part of the memory output is about to be dropped, unless the disk gets a moment. */
const NEARLY_FULL_ABOVE = 5 / 8;

/** Whether everything is on disk; if not, why not. */
export type Flushed = { readonly kind: 'stored' } | { readonly kind: 'incomplete'; readonly why: string };

/** Where a run's output begins. */
export interface OutputOrigin {
  /** What comes before is stored at the control plane, or lost. */
  readonly start: number;
  /** What comes before is on disk, or lost. */
  readonly memory: number;
  /** False where it isn't known how much another process has sent to the control plane. */
  readonly isCertain: boolean;
}
const AT_ZERO: OutputOrigin = { start: 0, memory: 0, isCertain: true };

/** Creates the unacked output of a run. */
export function createUnackedOutput(log: Log, from?: OutputOrigin): UnackedOutput {
  return new UnackedOutput(MEMORY_BYTES, (why) => log.warn(`output cannot be spooled to disk for now: ${why}`), from);
}

export class UnackedOutput {
  /** Called, never from within `read`, when what was `later` can be asked for again. */
  onReadable: () => void = () => {};
  /** Called when `isNearlyFull` may have become false. */
  onRoom: () => void = () => {};
  #memory: OutputBuffer;
  readonly #capacityBytes: number;
  readonly #spillAboveBytes: number;
  readonly #nearlyFullAboveBytes: number;
  readonly #onTrouble: (why: string) => void;
  #spool: Spool | null = null;
  /** Whether there is a disk that takes output, or will be in a moment. */
  #isSpooled = false;
  #start = 0;
  /** What lies before it is due by its age, or because all is. */
  #dueTo = 0;
  #timer: NodeJS.Timeout | null = null;
  /** How long output may wait before it is sent. */
  #sendIntervalMs = 0;
  #closed = false;
  #journal: OutputJournal | null = null;
  #isCertain: boolean;
  /** Where what this process has added begins. */
  readonly #ownFrom: number;

  /**
   * @param capacityBytes how much may be held in memory, bookkeeping included; beyond that the middle is dropped
   * @param onTrouble called once, when the disk fails; output then stays in memory until the disk works again
   * @param from where it begins, for output that another process has begun
   */
  constructor(capacityBytes: number, onTrouble: (why: string) => void, from: OutputOrigin = AT_ZERO) {
    this.#memory = new OutputBuffer(capacityBytes, from.memory);
    this.#start = from.start;
    this.#capacityBytes = capacityBytes;
    this.#isCertain = from.isCertain;
    this.#ownFrom = from.memory;
    this.#spillAboveBytes = capacityBytes * SPILL_ABOVE;
    this.#nearlyFullAboveBytes = capacityBytes * NEARLY_FULL_ABOVE;
    this.#onTrouble = onTrouble;
  }

  /** Everything before this offset is stored at the control plane. */
  get start(): number {
    return this.#start;
  }

  /** The offset of the next byte. */
  get end(): number {
    return this.#memory.end;
  }

  /** The offset of the oldest byte in memory. */
  get heldFrom(): number {
    return this.#memory.start;
  }

  /** Bytes that are on disk and not stored at the control plane. */
  get spooledBytes(): number {
    return this.#spool?.storedBytes ?? 0;
  }

  /** Bytes that had to be dropped so far. */
  get droppedBytes(): number {
    return this.#memory.droppedBytes + (this.#spool?.droppedBytes ?? 0);
  }

  /**
   * Whether memory is nearly full of what the disk would take. False once something had to be dropped: then waiting doesn't
   * help.
   */
  get isNearlyFull(): boolean {
    return this.#isSpooled && this.#memory.cost > this.#nearlyFullAboveBytes && this.droppedBytes === 0;
  }

  /** There will be a spool; `useSpool` or `spoolUnavailable` follows. */
  expectSpool(): void {
    this.#isSpooled = true;
  }

  /** There is no spool after all, or for now. */
  spoolUnavailable(): void {
    this.#isSpooled = false;
    this.onRoom();
  }

  /** From now on what is only in memory is also in the journal, which already holds what is there now. */
  useJournal(journal: OutputJournal): void {
    this.#journal = journal;
  }

  /**
   * How long output waits before it is sent; null: there is no connection. The journal outlives this process meanwhile:
   * where there is one, the disk is not written for output that is merely not due.
   */
  paced(intervalMs: number | null): void {
    const isShorter = (intervalMs ?? 0) < this.#sendIntervalMs;
    this.#sendIntervalMs = intervalMs ?? 0;
    if (!isShorter || this.#timer === null) return;
    this.#stopTimer();
    this.#spillIfDue();
  }

  /** What is held in memory, as a journal takes it. */
  held(): ReturnType<OutputBuffer['held']> {
    return this.#memory.held();
  }

  /**
   * From now on output can be moved to disk. Call at most once.
   *
   * @param onDisk what is there already
   */
  useSpool(
    directory: string,
    limit: SpoolLimit,
    onDisk: SpoolContents = { segments: new SegmentList(), end: 0 },
  ): void {
    this.#isSpooled = true;
    const source: SpoolSource = {
      moveInto: (block) => {
        this.#trimJournal();
        this.#moveInto(block);
        this.onRoom();
      },
      onReadable: () => this.onReadable(),
      onFailure: (why) => {
        this.spoolUnavailable();
        this.#onTrouble(why);
      },
    };
    this.#spool = new Spool(directory, limit, source, onDisk);
    this.#spillIfDue();
  }

  /** The spool's limit has changed: it is read again before more is written. */
  invalidateQuota(): void {
    this.#spool?.invalidateQuota();
  }

  /** Adds bytes at the end. They are copied. */
  append(stream: StreamName, bytes: Uint8Array): void {
    this.#journal?.append({ stream, start: this.end, bytes });
    this.#memory.append(stream, bytes);
    if (this.#journal?.isLong === true) this.#journal.rewrite(this.#memory.start, this.held());
    this.#spillIfDue();
  }

  /** Frees everything before `offset`. */
  free(offset: number): void {
    if (!this.#isCertain && offset > this.#ownFrom) this.#shiftTo(offset);
    this.#isCertain = true;
    const upTo = Math.min(offset, this.end);
    if (upTo <= this.#start) return;
    this.#start = upTo;
    this.#memory.free(upTo);
    this.#spool?.free(upTo);
    this.#trimJournal();
    this.onRoom();
  }

  /**
   * What there is to send from `offset` on: at most `maxBytes` of one stream, or a gap. The bytes are a view: they are
   * good until the next call of anything here, and not across an `await`.
   *
   * @returns null when `offset` is the end; `later` when it has to be read from disk first: `onReadable` follows
   */
  read(offset: number, maxBytes: number): OutputPart | Later | null {
    if (offset < this.#start) return { kind: 'gap', from: offset, to: this.#start };
    if (this.#spool === null || offset >= this.#memory.start) return this.#memory.read(offset, maxBytes);
    return maxBytes <= 0 ? null : this.#spool.read(offset, maxBytes, this.#memory.start);
  }

  /** Writes everything to disk, so that another process can continue from there. Nothing may be appended meanwhile. */
  async flush(timeLimitMs: number): Promise<Flushed> {
    if (this.#spool === null) return { kind: 'incomplete', why: 'output is not spooled' };
    this.#dueTo = this.end;
    const why = await this.#spool.flush(timeLimitMs);
    return why === null ? { kind: 'stored' } : { kind: 'incomplete', why };
  }

  /** Nothing more is written, and nothing is called back. The files stay. */
  close(): void {
    this.#closed = true;
    this.#stopTimer();
    this.#spool?.close();
  }

  /** Another process has sent output at our offsets: moves ours behind it, as far as it isn't on disk yet. */
  #shiftTo(offset: number): void {
    const isMovable = this.#memory.start === this.#ownFrom && this.#spool?.isWriting !== true;
    if (!isMovable && offset <= this.end) return;
    const before = this.#memory;
    this.#memory = new OutputBuffer(this.#capacityBytes, offset);
    if (isMovable) for (const { stream, bytes } of before.held()) this.#memory.append(stream, bytes);
    this.#journal?.rewrite(offset, this.held());
  }

  /** What is neither in memory nor on its way to the disk is stored, or was dropped. */
  #trimJournal(): void {
    if (this.#memory.start < this.end || this.#spool?.isWriting === true) return;
    this.#journal?.clear(this.end);
  }

  #spillIfDue(): void {
    if (this.#spool === null || this.#closed) return;
    if (this.#isTooMuch || this.isNearlyFull) this.#spool.kick();
    if (this.#timer === null && this.#memory.end > this.#memory.start) this.#startTimer();
  }

  get #isTooMuch(): boolean {
    return this.#memory.end - this.#memory.start > this.#spillAboveBytes;
  }

  get #spillAfterMs(): number {
    return this.#journal === null ? SPILL_AFTER_MS : this.#sendIntervalMs + SPILL_AFTER_MS;
  }

  #startTimer(): void {
    const endNow = this.#memory.end;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#dueTo = Math.max(this.#dueTo, endNow);
      if (this.#dueTo > this.#memory.start) this.#spool?.kick();
      this.#spillIfDue();
    }, this.#spillAfterMs);
    this.#timer.unref();
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #moveInto(block: RecordBlock): void {
    const { end } = this.#memory;
    // Many small chunks take up much more than their bytes.
    const surplus = this.isNearlyFull ? end : this.#isTooMuch ? end - this.#spillAboveBytes / 2 : 0;
    const target = Math.max(this.#dueTo, surplus);
    for (let chunk = this.#memory.oldest(); chunk !== null; chunk = this.#memory.oldest()) {
      if (this.#memory.start >= target) return;
      if (chunk.kind === 'gap') {
        this.#memory.free(chunk.to);
        continue;
      }
      const taken = block.append(chunk.stream, chunk.start, chunk.bytes);
      this.#memory.free(chunk.start + taken);
      if (taken < chunk.bytes.length) return;
    }
  }
}

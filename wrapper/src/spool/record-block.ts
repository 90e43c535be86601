/**
 * Records in memory, on their way to the disk or back.
 *
 * After a loss of power a file may end in the middle of a record, in zeros or in what the disk held before. What is no
 * record is skipped up to the next one: a bad spot costs what lies in it, not what follows.
 */
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import { joinBytes } from '../buffer/join.ts';
import type { OutputPart } from '../buffer/output-buffer.ts';
import { MAX_RECORD_BYTES, RECORD_HEADER_BYTES, readRecord, writeRecord } from './record.ts';

type StoredRecord = Extract<ReturnType<typeof readRecord>, { kind: 'record' }>;

/** Where there is no record. */
export interface NoRecord {
  /** `end`: the records end at `position`, cleanly or in the middle of one; `corrupt`: what lies there is no record. */
  readonly kind: 'end' | 'corrupt';
  readonly position: number;
}

export class RecordBlock {
  /** All of its memory; what is in use is `used`. */
  readonly memory: Uint8Array;
  #used = 0;
  #outputBytes = 0;
  #start: number | null = null;
  #end = 0;
  /** Reading mostly continues where it stopped: the record that was found last. */
  #last: StoredRecord | null = null;

  constructor(capacityBytes: number) {
    this.memory = new Uint8Array(capacityBytes);
  }

  /** Bytes of memory in use. */
  get used(): number {
    return this.#used;
  }

  /** Bytes of output that were appended. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** The offset of the first byte that was appended; null when none was. */
  get start(): number | null {
    return this.#start;
  }

  /** The offset after the last byte that was appended. */
  get end(): number {
    return this.#end;
  }

  /** Call when `memory` has been filled with this many bytes of a file. */
  setUsed(bytes: number): void {
    this.#used = bytes;
    this.#last = null;
  }

  clear(): void {
    this.setUsed(0);
    this.#outputBytes = 0;
    this.#start = null;
  }

  /**
   * Adds output that comes after all that is already there.
   *
   * @returns how many bytes were added: fewer when the block is full
   */
  append(stream: StreamName, start: number, bytes: Uint8Array): number {
    let added = 0;
    while (added < bytes.length) {
      const room = this.memory.length - this.#used - RECORD_HEADER_BYTES;
      const length = Math.min(bytes.length - added, room, MAX_RECORD_BYTES);
      if (length <= 0) break;
      const frame = { stream, start: start + added, bytes: bytes.subarray(added, added + length) };
      this.#used += writeRecord(frame, this.memory.subarray(this.#used));
      added += length;
    }
    if (added === 0) return 0;
    this.#start ??= start;
    this.#end = start + added;
    this.#outputBytes += added;
    return added;
  }

  /** What there is at `offset`: at most `maxBytes` of one stream, a gap up to the next record, or nothing. */
  read(offset: number, maxBytes: number): OutputPart | NoRecord {
    const first = this.#find(offset);
    if (first.kind !== 'record') return first;
    const { stream, start } = first.frame;
    if (start > offset) return { kind: 'gap', from: offset, to: start };
    return { kind: 'bytes', stream, start: offset, bytes: this.#collect(first, offset, maxBytes) };
  }

  /** The offset after the last good record; null when there is none. */
  lastOffset(): number | null {
    let end: number | null = null;
    for (let record = this.#recordAt(0); record.kind === 'record'; record = this.#recordAt(record.next)) {
      end = Math.max(end ?? 0, endOf(record.frame));
    }
    return end;
  }

  /** The record that holds `offset`, else the first one after it. */
  #find(offset: number): StoredRecord | NoRecord {
    const known = this.#last;
    let record = known !== null && known.frame.start <= offset ? known : this.#recordAt(0);
    while (record.kind === 'record' && endOf(record.frame) <= offset) record = this.#recordAt(record.next);
    if (record.kind === 'record') this.#last = record;
    return record;
  }

  #collect(first: StoredRecord, offset: number, maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let record = first; ; ) {
      const from = offset + size - record.frame.start;
      const part = record.frame.bytes.subarray(from, from + maxBytes - size);
      parts.push(part);
      size += part.length;
      if (size >= maxBytes) break;
      const next = this.#recordAt(record.next);
      if (next.kind !== 'record' || next.frame.stream !== first.frame.stream) break;
      if (next.frame.start > offset + size || endOf(next.frame) <= offset + size) break;
      record = next;
    }
    return joinBytes(parts, size);
  }

  /** The record at `position`, else the first good one after it, else what there is instead. */
  #recordAt(position: number): StoredRecord | NoRecord {
    const bytes = this.memory.subarray(0, this.#used);
    const result = readRecord(bytes, position);
    if (result.kind === 'record') return result;
    for (let at = position + 1; at + RECORD_HEADER_BYTES < bytes.length; at += 1) {
      const later = readRecord(bytes, at);
      if (later.kind === 'record') return later;
    }
    return { kind: result.kind, position };
  }
}

function endOf({ start, bytes }: OutputFrame): number {
  return start + bytes.length;
}

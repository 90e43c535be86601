/**
 * A run's output that is neither stored at the control plane nor on disk yet, in a file in memory: what a wrapper holds
 * is lost when it is killed, what a file holds is not. The file also says at which byte the output ends, so that a
 * successor continues from there.
 *
 * Every byte is written before anything else is done with it, in a call that only copies. The file is a header of three
 * little-endian words of 8 bytes and then records (spool/record.ts):
 *
 *     'LSJ2'; offset before which the file says nothing; offset at which the output ends if a write has failed, or 0
 */
import fs from 'node:fs';
import path from 'node:path';
import type { OutputFrame } from '#protocol/output-frame';
import { MAX_RECORD_BYTES, RECORD_HEADER_BYTES, readRecord, writeRecord } from '../spool/record.ts';

const MAGIC = 0x324a534cn;
const HEADER_BYTES = 24;
/** A longer file is rewritten with what is still needed: at most what a wrapper holds in memory, which is half of this. */
export const MAX_JOURNAL_BYTES = 8 * 1024 * 1024;

const FILE = 'output';

export class OutputJournal {
  readonly #directory: string;
  #fd: number;
  #position = HEADER_BYTES;
  #hasFailed = false;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  readonly #record = Buffer.alloc(RECORD_HEADER_BYTES + MAX_RECORD_BYTES);

  /**
   * Replaces the journal that may be in the directory.
   *
   * @param base where the output begins, as far as this journal is concerned
   * @param held the output that is there already, from `base` on
   * @throws file system errors
   */
  constructor(directory: string, base: number, held: Iterable<OutputFrame> = []) {
    this.#directory = directory;
    this.#fd = this.#create(base, held);
  }

  /** Whether it is time to call `rewrite`. */
  get isLong(): boolean {
    return this.#position > MAX_JOURNAL_BYTES;
  }

  /** Adds what comes at the end. Never throws: a journal that can't be written still says where the output ends. */
  append(output: OutputFrame): void {
    try {
      if (!this.#hasFailed) this.#write(output);
    } catch {
      // ENOSPC: other files fill the memory.
      this.#hasFailed = true;
    }
    if (this.#hasFailed) this.#writeEnd(output.start + output.bytes.length);
  }

  /** Nothing before `end`, where the output ends, is needed any more. Never throws. */
  clear(end: number): void {
    try {
      // In this order: what follows the header does not count once the header says so.
      this.#writeHeader(end, 0);
      if (this.#position > HEADER_BYTES) fs.ftruncateSync(this.#fd, HEADER_BYTES);
      this.#position = HEADER_BYTES;
      this.#hasFailed = false;
    } catch {
      // The file stays long; what is in it is skipped.
    }
  }

  /** Rewrites it with what is still needed. Never throws: where that can't be done the old one stays in use. */
  rewrite(base: number, held: Iterable<OutputFrame>): void {
    const before = { fd: this.#fd, position: this.#position };
    try {
      this.#fd = this.#create(base, held);
      this.#hasFailed = false;
      fs.closeSync(before.fd);
    } catch {
      // ENOSPC, as above.
      this.#fd = before.fd;
      this.#position = before.position;
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #create(base: number, held: Iterable<OutputFrame>): number {
    const file = path.join(this.#directory, FILE);
    const temporary = `${file}.new`;
    const fd = fs.openSync(temporary, 'w', 0o600);
    try {
      this.#fd = fd;
      this.#position = HEADER_BYTES;
      this.#writeHeader(base, 0);
      for (const output of held) this.#write(output);
      fs.renameSync(temporary, file);
      return fd;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  #write({ stream, start, bytes }: OutputFrame): void {
    for (let from = 0; from < bytes.length; from += MAX_RECORD_BYTES) {
      const frame = { stream, start: start + from, bytes: bytes.subarray(from, from + MAX_RECORD_BYTES) };
      const length = writeRecord(frame, this.#record);
      const written = fs.writeSync(this.#fd, this.#record, 0, length, this.#position);
      if (written < length) throw new Error('only part of it could be written');
      this.#position += length;
    }
  }

  #writeEnd(end: number): void {
    try {
      this.#header.writeBigUInt64LE(BigInt(end), 16);
      fs.writeSync(this.#fd, this.#header, 16, 8, 16);
    } catch {
      // Its page is there already: it can't fail for want of room, and nothing can be done about anything else.
    }
  }

  #writeHeader(base: number, end: number): void {
    this.#header.writeBigUInt64LE(MAGIC, 0);
    this.#header.writeBigUInt64LE(BigInt(base), 8);
    this.#header.writeBigUInt64LE(BigInt(end), 16);
    fs.writeSync(this.#fd, this.#header, 0, HEADER_BYTES, 0);
  }
}

/** The content of a journal. */
export interface JournalledOutput {
  /** In order, without a gap between them. */
  readonly frames: readonly OutputFrame[];
  /** Where the output ends. */
  readonly end: number;
}

/** Reads the journal in a directory; null when there is none. Throws file system errors. */
export function readOutputJournal(directory: string): JournalledOutput | null {
  const file = path.join(directory, FILE);
  if (!fs.existsSync(file)) return null;
  const bytes = fs.readFileSync(file);
  if (bytes.length < HEADER_BYTES || bytes.readBigUInt64LE(0) !== MAGIC) return null;
  const base = Number(bytes.readBigUInt64LE(8));
  const failedAt = Number(bytes.readBigUInt64LE(16));
  let frames: OutputFrame[] = [];
  let end = base;
  // The last record may be incomplete: the writer was killed in the middle of it.
  let record = readRecord(bytes, HEADER_BYTES);
  for (; record.kind === 'record'; record = readRecord(bytes, record.next)) {
    const { frame } = record;
    if (frame.start < base) continue;
    // What comes before a gap may be stored already: only the newest contiguous part counts.
    if (frame.start !== end) frames = [];
    frames.push(frame);
    end = frame.start + frame.bytes.length;
  }
  return failedAt > end ? { frames: [], end: failedAt } : { frames, end };
}

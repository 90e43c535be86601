/**
 * A run's output that is neither stored at the control plane nor on disk yet, in a file in memory: what a wrapper holds
 * is lost when it is killed, what a file holds is not. It also says where the log ends, to the byte, so that a successor
 * goes on from there.
 *
 * Every byte is written before anything else is done with it, in one call that only copies. The file begins with a
 * header of three little-endian words of 8 bytes, and each record with one of two:
 *
 *     header   'LSJ1'; offset before which the file says nothing; offset at which the log ends if a write has failed, or 0
 *     record   stream (1 stdout, 2 stderr) * 2^32 + how many bytes; offset of the first of them
 */
import fs from 'node:fs';
import path from 'node:path';
import type { StreamName } from '#protocol/output-frame';

const MAGIC = 0x314a534cn;
const HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** A file so long is written anew with what is still needed: at most what a wrapper holds in memory, which is half of it. */
export const LONGEST_BYTES = 8 * 1024 * 1024;

const FILE = 'output';

/** A stretch of output, by its offset. */
export interface Stretch {
  readonly stream: StreamName;
  readonly start: number;
  readonly bytes: Uint8Array;
}

export class OutputJournal {
  readonly #directory: string;
  #fd: number;
  #position = HEADER_BYTES;
  #hasFailed = false;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  readonly #recordHeader = Buffer.alloc(RECORD_HEADER_BYTES);

  /**
   * Begins a journal in the place of the one that may be there.
   *
   * @param base where the log begins, as far as this journal is concerned
   * @param held what the log holds already, from `base` on
   * @throws what the file system says
   */
  constructor(directory: string, base: number, held: Iterable<Stretch> = []) {
    this.#directory = directory;
    this.#fd = this.#begin(base, held);
  }

  /** Whether it is so long that `restart` should be called. */
  get isLong(): boolean {
    return this.#position > LONGEST_BYTES;
  }

  /** Adds what comes at the end of the log. Never throws: a journal that can't be written still says where the log ends. */
  append(stretch: Stretch): void {
    try {
      if (!this.#hasFailed) this.#write(stretch);
    } catch {
      // ENOSPC: other files fill the memory.
      this.#hasFailed = true;
    }
    if (this.#hasFailed) this.#noteEnd(stretch.start + stretch.bytes.length);
  }

  /** Nothing that lies before `end`, where the log ends, is needed any more. Never throws. */
  clear(end: number): void {
    try {
      // In this order: what follows the header counts for nothing once that says so.
      this.#writeHeader(end, 0);
      if (this.#position > HEADER_BYTES) fs.ftruncateSync(this.#fd, HEADER_BYTES);
      this.#position = HEADER_BYTES;
      this.#hasFailed = false;
    } catch {
      // The file stays long; what is in it is passed over.
    }
  }

  /** Writes it anew with what is still needed. Never throws: where that can't be done the old one goes on. */
  restart(base: number, held: Iterable<Stretch>): void {
    const before = { fd: this.#fd, position: this.#position };
    try {
      this.#fd = this.#begin(base, held);
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

  #begin(base: number, held: Iterable<Stretch>): number {
    const file = path.join(this.#directory, FILE);
    const aside = `${file}.new`;
    const fd = fs.openSync(aside, 'w', 0o600);
    try {
      this.#fd = fd;
      this.#position = HEADER_BYTES;
      this.#writeHeader(base, 0);
      for (const stretch of held) this.#write(stretch);
      fs.renameSync(aside, file);
      return fd;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  #write({ stream, start, bytes }: Stretch): void {
    this.#recordHeader.writeUInt32LE(bytes.length, 0);
    this.#recordHeader.writeUInt32LE(stream === 'stdout' ? 1 : 2, 4);
    this.#recordHeader.writeBigUInt64LE(BigInt(start), 8);
    const length = RECORD_HEADER_BYTES + bytes.length;
    const written = fs.writevSync(this.#fd, [this.#recordHeader, bytes], this.#position);
    if (written < length) throw new Error('only a part could be written');
    this.#position += length;
  }

  #noteEnd(end: number): void {
    try {
      fs.writeSync(this.#fd, littleEndian(end), 0, 8, 16);
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

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** What a journal says. */
export interface JournalledOutput {
  /** In order, without a gap between them. */
  readonly stretches: readonly Stretch[];
  /** Where the log ends. */
  readonly end: number;
}

/** Reads the journal in a directory; null when there is none. Throws what the file system says of one that can't be read. */
export function readOutputJournal(directory: string): JournalledOutput | null {
  const file = path.join(directory, FILE);
  if (!fs.existsSync(file)) return null;
  const bytes = fs.readFileSync(file);
  if (bytes.length < HEADER_BYTES || bytes.readBigUInt64LE(0) !== MAGIC) return null;
  const base = Number(bytes.readBigUInt64LE(8));
  const failedAt = Number(bytes.readBigUInt64LE(16));
  let stretches: Stretch[] = [];
  let end = base;
  for (const stretch of recordsOf(bytes)) {
    if (stretch.start < base) continue;
    // Only the newest is told in one piece; what comes before a gap can't be told from what was stored.
    if (stretch.start !== end) stretches = [];
    stretches.push(stretch);
    end = stretch.start + stretch.bytes.length;
  }
  return failedAt > end ? { stretches: [], end: failedAt } : { stretches, end };
}

function* recordsOf(bytes: Buffer): Generator<Stretch> {
  for (let position = HEADER_BYTES; position + RECORD_HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32LE(position);
    const from = position + RECORD_HEADER_BYTES;
    // The writer was killed in the middle of it.
    if (length === 0 || from + length > bytes.length) return;
    yield {
      stream: bytes.readUInt32LE(position + 4) === 1 ? 'stdout' : 'stderr',
      start: Number(bytes.readBigUInt64LE(position + 8)),
      bytes: bytes.subarray(from, from + length),
    };
    position = from + length;
  }
}

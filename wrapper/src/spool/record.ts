/**
 * A run's output in a file, on disk and in its journal: one record after the other. A record is an output frame as on the
 * wire (protocol/output-frame.ts), behind
 *
 *     bytes 0..3   length of the frame, unsigned, big endian
 *     bytes 4..7   CRC-32 of the frame
 *
 * A change of either format takes a new version of the run's record (state/run-file.ts).
 */
import { decodeOutputFrame, OUTPUT_HEADER_BYTES, type OutputFrame, writeOutputFrame } from '#protocol/output-frame';
import { crc32 } from './crc32.ts';

const PREFIX_BYTES = 8;
export const RECORD_HEADER_BYTES = PREFIX_BYTES + OUTPUT_HEADER_BYTES;
/** Bytes of output in one record. */
export const MAX_RECORD_BYTES = 64 * 1024;

/**
 * Writes a record to the beginning of `into`, which must have room for it.
 *
 * @param frame with at most MAX_RECORD_BYTES
 * @returns the record's length
 */
export function writeRecord(frame: OutputFrame, into: Uint8Array): number {
  const length = writeOutputFrame(frame, into.subarray(PREFIX_BYTES));
  const prefix = new DataView(into.buffer, into.byteOffset, PREFIX_BYTES);
  prefix.setUint32(0, length);
  prefix.setUint32(4, crc32(into.subarray(PREFIX_BYTES, PREFIX_BYTES + length)));
  return PREFIX_BYTES + length;
}

export type RecordResult =
  /** Its bytes are a view of what was read; `next` is where the next record begins. */
  | { readonly kind: 'record'; readonly frame: OutputFrame; readonly next: number }
  /** The bytes end before the record does. */
  | { readonly kind: 'end' }
  | { readonly kind: 'corrupt' };

const END = { kind: 'end' } as const;
const CORRUPT = { kind: 'corrupt' } as const;

/** Reads the record at `position`. Allocates nothing where there is none. */
export function readRecord(bytes: Uint8Array, position: number): RecordResult {
  if (position + RECORD_HEADER_BYTES > bytes.length) return END;
  const length = uint32At(bytes, position);
  if (length <= OUTPUT_HEADER_BYTES || length > OUTPUT_HEADER_BYTES + MAX_RECORD_BYTES) return CORRUPT;
  const from = position + PREFIX_BYTES;
  const next = from + length;
  if (next > bytes.length) return END;
  const encoded = bytes.subarray(from, next);
  if (crc32(encoded) !== uint32At(bytes, position + 4)) return CORRUPT;
  const decoded = decodeOutputFrame(encoded);
  return decoded.ok ? { kind: 'record', frame: decoded.frame, next } : CORRUPT;
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

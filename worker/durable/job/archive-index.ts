/**
 * What an archive holds. An archive is an object in the bucket with a part of a run's output: its bytes, without gaps.
 * Which of them belong to which stream, and where gaps are, is in the row that stands for it in the table `output`.
 */
import type { StreamName } from '#protocol/output-frame';

/** The parts of an archive, in order; a gap has no stream. */
export type ArchiveIndex = readonly (readonly [stream: StreamName | null, length: number])[];

export interface IndexedPart {
  readonly stream: StreamName | null;
  readonly start: number;
  readonly end: number;
  /** Where its bytes begin in the archive. */
  readonly position: number;
}

export function encodeIndex(index: ArchiveIndex): ArrayBuffer {
  return new Uint8Array(new TextEncoder().encode(JSON.stringify(index))).buffer;
}

/** @param start the offset in the run's output at which the archive begins */
export function decodeIndex(encoded: ArrayBuffer, start: number): IndexedPart[] {
  const index = JSON.parse(new TextDecoder().decode(encoded)) as ArchiveIndex;
  let offset = start;
  let position = 0;
  return index.map(([stream, length]) => {
    const part = { stream, start: offset, end: offset + length, position };
    offset += length;
    if (stream !== null) position += length;
    return part;
  });
}

/** The output of this job's runs as rows: those of a run are contiguous, because a gap is a row too. */
import { KIB } from '#protocol/limits';
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import type { OutputPart } from '../../shared/rpc/job-object.ts';
import { decodeIndex, encodeIndex } from './archive-index.ts';
import { type OutputRow, planTrim, ROW_COST_BYTES, rowCost, type TrimPlan } from './output-trim.ts';

/**
 * What to do with a range [start, end) that arrives when output is stored up to `stored`.
 *
 * - `duplicate`: all of it is stored; ack it again
 * - `gap`: output before it has not arrived
 * - `append`: the part after `stored` is new
 */
export function classifyRange(stored: number, start: number, end: number): 'duplicate' | 'gap' | 'append' {
  if (start > stored) return 'gap';
  return end <= stored ? 'duplicate' : 'append';
}

/** Small frames share a row of at most this size: to remove a row costs as much as to write one. */
const SMALL_ROW_BYTES = 16 * KIB;
/** Output that alternates between the streams takes a row for each part. */
const MAX_TAIL_ROWS = 10_000;

/** The stream of a row that stands for an archive: its bytes are the archive's index. */
const ARCHIVE = 'archive';

type Row = {
  start: number;
  end: number;
  stream: StreamName | typeof ARCHIVE | null;
  bytes: ArrayBuffer | null;
};

/** A part whose bytes are in an archive. */
export interface ArchivedPart {
  readonly kind: 'archived';
  readonly stream: StreamName;
  readonly start: number;
  readonly end: number;
  /** Where the archive begins in the run's output, by which it is found. */
  readonly archive: number;
  /** Where the part begins in the archive. */
  readonly position: number;
}
export type StoredPart = OutputPart | ArchivedPart;

/** Rows that can become an archive, and their bytes. */
export interface Archivable {
  readonly start: number;
  readonly end: number;
  readonly rows: readonly { readonly start: number; readonly end: number; readonly stream: StreamName | null }[];
  readonly bytes: Uint8Array;
}

export class OutputStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @returns the bytes of storage that it takes */
  append(run: string, frame: OutputFrame): number {
    if (frame.bytes.length < SMALL_ROW_BYTES && this.#appendToLast(run, frame)) return frame.bytes.length;
    this.#sql.exec(
      'INSERT INTO output (run, start, "end", stream, bytes) VALUES (?, ?, ?, ?, ?)',
      run,
      frame.start,
      frame.start + frame.bytes.length,
      frame.stream,
      // The frame is a view into the message that it came in, and SQLite takes whole buffers.
      frame.bytes.slice().buffer,
    );
    return ROW_COST_BYTES + frame.bytes.length;
  }

  /** Adds a small frame to the last row, if that is small and of the same stream. @returns whether it was added */
  #appendToLast(run: string, { stream, start, bytes }: OutputFrame): boolean {
    const added = this.#sql.exec(
      // A concatenation of blobs is text until it is cast.
      `UPDATE output SET "end" = ?3, bytes = CAST(bytes || ?4 AS BLOB)
       WHERE run = ?1 AND start = (SELECT max(start) FROM output WHERE run = ?1)
         AND stream = ?5 AND "end" = ?2 AND ?3 - start <= ${SMALL_ROW_BYTES}
       RETURNING 1`,
      run,
      start,
      start + bytes.length,
      bytes.slice().buffer,
      stream,
    );
    return added.toArray().length > 0;
  }

  /** @returns the bytes of storage that it takes */
  appendGap(run: string, start: number, end: number): number {
    const last = this.#rowBefore(run, start);
    if (last?.isGap) {
      this.#growGap(run, last.start, end);
      return 0;
    }
    this.#insertGap(run, start, end);
    return ROW_COST_BYTES;
  }

  /**
   * Replaces the oldest rows that start at or after `from` by a gap, until `neededBytes` are freed or `maxRows`
   * removed.
   *
   * @returns null if there was nothing to free
   */
  trim(run: string, from: number, neededBytes: number, maxRows: number): TrimPlan | null {
    const plan = planTrim(this.#rowBefore(run, from), this.#rowsFrom(run, from, maxRows + 1), neededBytes, maxRows);
    if (plan === null) return null;
    this.#sql.exec('DELETE FROM output WHERE run = ? AND start >= ? AND start < ?', run, plan.from, plan.to);
    if (plan.gapStart < plan.from) this.#growGap(run, plan.gapStart, plan.to);
    else this.#insertGap(run, plan.from, plan.to);
    return plan;
  }

  /** Removes a run's output if it has few rows and bytes; otherwise `trim` has to reduce it first. */
  removeIfLittle(run: string, maxRows: number, maxBytes: number): void {
    const rows = this.#rowsFrom(run, 0, maxRows + 1);
    const bytes = rows.reduce((sum, row) => sum + rowCost(row), 0);
    if (rows.length <= maxRows && bytes <= maxBytes) this.#sql.exec('DELETE FROM output WHERE run = ?', run);
  }

  /** Removes the output of a run that `trim` has reduced to one gap at most. */
  remove(run: string): void {
    const rows = this.#rowsFrom(run, 0, 2);
    if (rows.length > 1 || rows[0]?.isGap === false) throw new Error(`the output of run ${run} is not trimmed`);
    this.#sql.exec('DELETE FROM output WHERE run = ?', run);
  }

  /**
   * The parts of [from, to), in order, clipped to it, until they hold `maxBytes`.
   *
   * A part is at most one frame, so the sum exceeds `maxBytes` by less than a frame.
   */
  read(run: string, from: number, to: number, maxBytes: number): StoredPart[] {
    // The part that contains `from` starts at or before it: found by the primary key, not by a scan.
    const rows = this.#sql.exec<Row>(
      `SELECT start, "end", stream, bytes FROM output
       WHERE run = ?1 AND start < ?3
         AND start >= coalesce((SELECT max(start) FROM output WHERE run = ?1 AND start <= ?2), ?2)
       ORDER BY start`,
      run,
      from,
      to,
    );
    const parts: StoredPart[] = [];
    let size = 0;
    for (const row of rows) {
      for (const part of partsOf(row)) {
        if (part.start >= to || part.end <= from) continue;
        const clipped = clip(part, from, to);
        parts.push(clipped);
        size += bytesIn(clipped);
        if (size >= maxBytes) return parts;
      }
    }
    return parts;
  }

  /** The offset at which the last `tailBytes` bytes begin, without counting gaps. */
  tailStart(run: string, end: number, tailBytes: number): number {
    const rows = this.#sql.exec<Row>(
      `SELECT start, "end", stream, iif(stream = '${ARCHIVE}', bytes, NULL) AS bytes FROM output
       WHERE run = ? AND start < ? ORDER BY start DESC LIMIT ${MAX_TAIL_ROWS}`,
      run,
      end,
    );
    let start = end;
    let wanted = tailBytes;
    for (const row of rows) {
      for (const part of spansOf(row).reverse()) {
        if (!part.isGap && part.end - part.start >= wanted) return part.end - wanted;
        start = part.start;
        if (!part.isGap) wanted -= part.end - part.start;
      }
    }
    return start;
  }

  /** The ranges that were lost on the machine or trimmed here. */
  gaps(run: string): { start: number; end: number }[] {
    const rows = this.#sql.exec<Row>(
      `SELECT start, "end", stream, bytes FROM output
       WHERE run = ? AND (stream IS NULL OR stream = '${ARCHIVE}') ORDER BY start`,
      run,
    );
    return Array.from(rows, spansOf)
      .flat()
      .flatMap(({ start, end, isGap }) => (isGap ? [{ start, end }] : []));
  }

  /** The rows from an offset on, about `maxBytes` of them, that can become one archive; null: there are none. */
  archivable(run: string, from: number, maxBytes: number, maxRows: number): Archivable | null {
    const rows = this.#sql.exec<Row>(
      'SELECT start, "end", stream, bytes FROM output WHERE run = ? AND start >= ? ORDER BY start LIMIT ?',
      run,
      from,
      maxRows,
    );
    const taken: Row[] = [];
    let size = 0;
    for (const row of rows) {
      if (size >= maxBytes) break;
      taken.push(row);
      size += row.bytes?.byteLength ?? 0;
    }
    const last = taken.at(-1);
    if (last === undefined) return null;
    const bytes = new Uint8Array(size);
    let position = 0;
    for (const row of taken) {
      if (row.bytes === null) continue;
      bytes.set(new Uint8Array(row.bytes), position);
      position += row.bytes.byteLength;
    }
    return { start: from, end: last.end, rows: taken.map(withoutBytes), bytes };
  }

  /**
   * Replaces rows by one that stands for their archive.
   *
   * @returns how much storage that frees; null if the rows have changed since
   */
  replaceByArchive(run: string, { start, end, rows }: Archivable): number | null {
    const now = this.#sql
      .exec<{ start: number; end: number; stream: string | null }>(
        'SELECT start, "end", stream FROM output WHERE run = ? AND start >= ? AND start < ? ORDER BY start',
        run,
        start,
        end,
      )
      .toArray();
    if (JSON.stringify(now) !== JSON.stringify(rows)) return null;
    const index = rows.map((row) => [row.stream, row.end - row.start] as const);
    this.#sql.exec('DELETE FROM output WHERE run = ? AND start >= ? AND start < ?', run, start, end);
    this.#sql.exec(
      'INSERT INTO output (run, start, "end", stream, bytes) VALUES (?, ?, ?, ?, ?)',
      run,
      start,
      end,
      ARCHIVE,
      encodeIndex(index),
    );
    return rows.reduce((sum, row) => sum + rowCost({ ...row, isGap: row.stream === null }), 0);
  }

  /** Removes the rows that stand for archives. */
  removeArchives(run: string): void {
    this.#sql.exec(`DELETE FROM output WHERE run = ? AND stream = '${ARCHIVE}'`, run);
  }

  #rowBefore(run: string, offset: number): OutputRow | null {
    return this.#rows('run = ? AND start < ? ORDER BY start DESC LIMIT 1', run, offset)[0] ?? null;
  }

  #rowsFrom(run: string, offset: number, limit: number): OutputRow[] {
    return this.#rows('run = ? AND start >= ? ORDER BY start LIMIT ?', run, offset, limit);
  }

  #rows(where: string, ...bindings: SqlStorageValue[]): OutputRow[] {
    return this.#sql
      .exec<{ start: number; end: number; isGap: number }>(
        `SELECT start, "end", stream IS NULL AS "isGap" FROM output WHERE ${where}`,
        ...bindings,
      )
      .toArray()
      .map((row) => ({ ...row, isGap: row.isGap === 1 }));
  }

  #insertGap(run: string, start: number, end: number): void {
    this.#sql.exec('INSERT INTO output (run, start, "end") VALUES (?, ?, ?)', run, start, end);
  }

  #growGap(run: string, start: number, end: number): void {
    this.#sql.exec('UPDATE output SET "end" = ? WHERE run = ? AND start = ?', end, run, start);
  }
}

type PartWithEnd =
  | (Extract<StoredPart, { kind: 'bytes' }> & { readonly end: number })
  | Exclude<StoredPart, { kind: 'bytes' }>;

function partsOf(row: Row): PartWithEnd[] {
  const { start, end, stream, bytes } = row;
  if (stream === null || bytes === null) return [{ kind: 'gap', start, end, begin: start }];
  if (stream !== ARCHIVE) return [{ kind: 'bytes', start, end, stream, bytes: new Uint8Array(bytes) }];
  return decodeIndex(bytes, start).map((part) =>
    part.stream === null
      ? { kind: 'gap', start: part.start, end: part.end, begin: part.start }
      : { kind: 'archived', ...part, stream: part.stream, archive: start },
  );
}

function clip(part: PartWithEnd, from: number, to: number): StoredPart {
  const start = Math.max(part.start, from);
  const end = Math.min(part.end, to);
  switch (part.kind) {
    case 'gap':
      return { ...part, start, end };
    case 'archived':
      return { ...part, start, end, position: part.position + start - part.start };
    case 'bytes':
      return {
        kind: 'bytes',
        start,
        stream: part.stream,
        bytes: part.bytes.subarray(start - part.start, end - part.start),
      };
  }
}

function bytesIn(part: StoredPart): number {
  switch (part.kind) {
    case 'gap':
      return 0;
    case 'archived':
      return part.end - part.start;
    case 'bytes':
      return part.bytes.length;
  }
}

/** The bytes and gaps of a row, without the bytes themselves. */
function spansOf({ start, end, stream, bytes }: Row): OutputRow[] {
  if (stream !== ARCHIVE || bytes === null) return [{ start, end, isGap: stream === null }];
  return decodeIndex(bytes, start).map((part) => ({ start: part.start, end: part.end, isGap: part.stream === null }));
}

function withoutBytes({ start, end, stream }: Row): Archivable['rows'][number] {
  if (stream === ARCHIVE) throw new Error(`the output at ${start} is archived already`);
  return { start, end, stream };
}

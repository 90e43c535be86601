/** The output of this job's runs as rows: those of a run are contiguous, because a gap is a row too. */
import { KIB } from '#protocol/limits';
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import type { OutputPart } from '../../shared/rpc/job-object.ts';
import { type OutputRow, planTrim, ROW_COST_BYTES, type TrimPlan } from './output-trim.ts';

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

type Row = {
  start: number;
  end: number;
  stream: StreamName | null;
  bytes: ArrayBuffer | null;
};

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
  read(run: string, from: number, to: number, maxBytes: number): OutputPart[] {
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
    const parts: OutputPart[] = [];
    let size = 0;
    for (const row of rows) {
      const start = Math.max(row.start, from);
      const end = Math.min(row.end, to);
      if (start >= end) continue;
      if (row.stream === null || row.bytes === null) {
        parts.push({ kind: 'gap', start, end, begin: row.start });
      } else {
        const bytes = new Uint8Array(row.bytes).subarray(start - row.start, end - row.start);
        parts.push({ kind: 'bytes', start, stream: row.stream, bytes });
        size += bytes.length;
      }
      if (size >= maxBytes) break;
    }
    return parts;
  }

  /** The offset at which the last `tailBytes` bytes begin, without counting gaps. */
  tailStart(run: string, end: number, tailBytes: number): number {
    const rows = this.#sql.exec<{ start: number; end: number; isGap: number }>(
      `SELECT start, "end", stream IS NULL AS "isGap" FROM output WHERE run = ? AND start < ?
       ORDER BY start DESC LIMIT ${MAX_TAIL_ROWS}`,
      run,
      end,
    );
    let start = end;
    let wanted = tailBytes;
    for (const row of rows) {
      if (row.isGap === 0 && row.end - row.start >= wanted) return row.end - wanted;
      start = row.start;
      if (row.isGap === 0) wanted -= row.end - row.start;
    }
    return start;
  }

  /** The ranges that were lost on the machine or trimmed here. */
  gaps(run: string): { start: number; end: number }[] {
    return this.#sql
      .exec<{ start: number; end: number }>(
        'SELECT start, "end" FROM output WHERE run = ? AND stream IS NULL ORDER BY start',
        run,
      )
      .toArray();
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

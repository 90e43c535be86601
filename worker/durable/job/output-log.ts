/** The bytes that this job's runs printed: one log a run, without holes. */
import type { OutputFrame, StreamName } from '#protocol/output-frame';

/** A stretch of a run's log. `lost`: the machine had to drop these bytes. */
export type OutputPiece =
  | { readonly kind: 'bytes'; readonly start: number; readonly stream: StreamName; readonly bytes: Uint8Array }
  | { readonly kind: 'lost'; readonly start: number; readonly end: number };

/**
 * What becomes of a stretch [start, end) that arrives for a log that is stored up to `stored`.
 *
 * - `duplicate`: all of it is stored; ack it again
 * - `gap`: what lies before it has not arrived
 * - `append`: new from `stored` on; what overlaps is trimmed
 */
export function placeOutput(stored: number, start: number, end: number): 'duplicate' | 'gap' | 'append' {
  if (start > stored) return 'gap';
  return end <= stored ? 'duplicate' : 'append';
}

type Row = {
  start: number;
  end: number;
  stream: StreamName | null;
  bytes: ArrayBuffer | null;
};

export class OutputLog {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  append(run: string, frame: OutputFrame): void {
    this.#sql.exec(
      'INSERT INTO output (run, start, "end", stream, bytes) VALUES (?, ?, ?, ?, ?)',
      run,
      frame.start,
      frame.start + frame.bytes.length,
      frame.stream,
      // The frame is a view into the message it came in, and SQLite takes whole buffers.
      frame.bytes.slice().buffer,
    );
  }

  appendLost(run: string, start: number, end: number): void {
    this.#sql.exec('INSERT INTO output (run, start, "end") VALUES (?, ?, ?)', run, start, end);
  }

  /**
   * The pieces of [from, to), in order, trimmed to it, until they hold `maxBytes`.
   *
   * A piece is at most a frame, so the sum passes `maxBytes` by less than that.
   */
  read(run: string, from: number, to: number, maxBytes: number): OutputPiece[] {
    // The piece that `from` lies in starts at or before it: find that one by the primary key, not by a scan.
    const rows = this.#sql.exec<Row>(
      `SELECT start, "end", stream, bytes FROM output
       WHERE run = ?1 AND start < ?3
         AND start >= coalesce((SELECT max(start) FROM output WHERE run = ?1 AND start <= ?2), ?2)
       ORDER BY start`,
      run,
      from,
      to,
    );
    const pieces: OutputPiece[] = [];
    let size = 0;
    for (const row of rows) {
      const start = Math.max(row.start, from);
      const end = Math.min(row.end, to);
      if (start >= end) continue;
      if (row.stream === null || row.bytes === null) {
        pieces.push({ kind: 'lost', start, end });
      } else {
        const bytes = new Uint8Array(row.bytes).subarray(start - row.start, end - row.start);
        pieces.push({ kind: 'bytes', start, stream: row.stream, bytes });
        size += bytes.length;
      }
      if (size >= maxBytes) break;
    }
    return pieces;
  }

  /** The stretches that were lost on the machine. */
  lost(run: string): { start: number; end: number }[] {
    return this.#sql
      .exec<{ start: number; end: number }>(
        'SELECT start, "end" FROM output WHERE run = ? AND stream IS NULL ORDER BY start',
        run,
      )
      .toArray();
  }
}

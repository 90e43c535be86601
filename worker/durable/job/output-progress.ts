/**
 * How far the output of each live run is stored, and the storage that it takes. The rows of `runs` are written once in
 * a while, so that a frame of output costs one row: what they lack follows from the output itself.
 */
import { ROW_COST_BYTES } from './output-trim.ts';

export interface OutputProgress {
  readonly outputEnd: number;
  readonly outputSize: number;
}

interface Entry extends OutputProgress {
  /** How many frames the run's row lacks, or rows of output after a start. */
  readonly unsavedFrames: number;
}

/** After this many frames the run's row is written: so many rows of output are read at most to know what it lacks. */
const FRAMES_PER_SAVE = 64;

export class OutputProgressCache {
  readonly #sql: SqlStorage;
  readonly #entries = new Map<string, Entry>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @param saved what the run's row says */
  of(id: string, saved: OutputProgress): OutputProgress {
    const { outputEnd, outputSize } = this.#entries.get(id) ?? this.#restore(id, saved);
    return { outputEnd, outputSize };
  }

  /**
   * A frame was stored. Without an entry, the next `of` finds it.
   *
   * @returns whether the run's row is to be written
   */
  grow(id: string, outputEnd: number, size: number): boolean {
    const before = this.#entries.get(id);
    if (before === undefined) return false;
    const unsavedFrames = before.unsavedFrames + 1;
    this.#entries.set(id, { outputEnd, outputSize: before.outputSize + size, unsavedFrames });
    return unsavedFrames >= FRAMES_PER_SAVE;
  }

  /** What the run's row lacks. It is to be written now, and is forgotten here. */
  takeUnsaved(id: string): OutputProgress | null {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry === undefined || entry.unsavedFrames === 0) return null;
    return { outputEnd: entry.outputEnd, outputSize: entry.outputSize };
  }

  /** A transaction was rolled back: what is stored decides. */
  clear(): void {
    this.#entries.clear();
  }

  /** From the rows of output that the run's row lacks: the last of those that it has may have grown. */
  #restore(id: string, saved: OutputProgress): Entry {
    const [lacking] = this.#sql.exec<{ end: number | null; rows: number; size: number | null }>(
      `SELECT max("end") AS "end", count(*) FILTER (WHERE "end" > ?2) AS rows,
         sum(CASE
           WHEN start >= ?2 THEN ${ROW_COST_BYTES} + iif(stream IS NULL, 0, "end" - start)
           WHEN stream IS NULL OR "end" <= ?2 THEN 0
           ELSE "end" - ?2
         END) AS size
       FROM output
       WHERE run = ?1 AND start >= coalesce((SELECT max(start) FROM output WHERE run = ?1 AND start <= ?2), 0)`,
      id,
      saved.outputEnd,
    );
    const entry = {
      outputEnd: Math.max(lacking?.end ?? 0, saved.outputEnd),
      outputSize: saved.outputSize + (lacking?.size ?? 0),
      unsavedFrames: lacking?.rows ?? 0,
    };
    this.#entries.set(id, entry);
    return entry;
  }
}

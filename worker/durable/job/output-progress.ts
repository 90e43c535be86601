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
  #isLiveRestored = false;

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
    // One that was restored since then has it already.
    if (before === undefined || before.outputEnd >= outputEnd) return false;
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
    this.#isLiveRestored = false;
  }

  /** Restores what all live runs lack with one query, unless that was done: thousands of runs may be live. */
  restoreLive(): void {
    if (this.#isLiveRestored) return;
    this.#isLiveRestored = true;
    const live = this.#sql.exec<Lacking & { id: string; savedEnd: number; savedSize: number }>(
      `SELECT id, output_end AS "savedEnd", output_size AS "savedSize", ${lacking('output_end')}
       FROM runs LEFT JOIN output ON run = id AND start >= ${lastSavedRow('id', 'output_end')}
       WHERE settled = 0 AND final = 0 AND ended_at IS NULL GROUP BY id`,
    );
    for (const { id, savedEnd, savedSize, ...lack } of live) {
      if (!this.#entries.has(id)) this.#entries.set(id, entryOf({ outputEnd: savedEnd, outputSize: savedSize }, lack));
    }
  }

  #restore(id: string, saved: OutputProgress): Entry {
    const lack = this.#sql
      .exec<Lacking>(
        `SELECT ${lacking('?2')} FROM output WHERE run = ?1 AND start >= ${lastSavedRow('?1', '?2')}`,
        id,
        saved.outputEnd,
      )
      .one();
    const entry = entryOf(saved, lack);
    this.#entries.set(id, entry);
    return entry;
  }
}

/** What a run's row lacks, from the rows of output after it. */
type Lacking = { end: number | null; rows: number; size: number | null };

/** Its columns. The last row of output that the run's row has may have grown. */
function lacking(savedEnd: string): string {
  return `max("end") AS "end", count(*) FILTER (WHERE "end" > ${savedEnd}) AS rows,
    sum(CASE
      WHEN start >= ${savedEnd} THEN ${ROW_COST_BYTES} + iif(stream IS NULL, 0, "end" - start)
      WHEN stream IS NULL OR "end" <= ${savedEnd} THEN 0
      ELSE "end" - ${savedEnd}
    END) AS size`;
}

function lastSavedRow(run: string, savedEnd: string): string {
  return `coalesce((SELECT max(last.start) FROM output AS last WHERE last.run = ${run} AND last.start <= ${savedEnd}), 0)`;
}

function entryOf(saved: OutputProgress, { end, rows, size }: Lacking): Entry {
  return {
    outputEnd: Math.max(end ?? 0, saved.outputEnd),
    outputSize: saved.outputSize + (size ?? 0),
    unsavedFrames: rows,
  };
}

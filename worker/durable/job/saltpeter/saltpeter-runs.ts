/** The table `saltpeter_runs`: which run the frames of a Saltpeter wrapper are of, and how far its output has come. */
import type { SaltpeterNote } from '#protocol/saltpeter-link';
import type { RunRecord } from '../run-store.ts';

export interface SaltpeterRun extends Pick<RunRecord, 'instance' | 'machine'> {
  readonly run: string;
  /** Proves to the handshake that it is the same run: nobody else may speak for it. */
  readonly runKey: string;
  /** The frame of output that is expected next; null: whichever comes first, because its start was never heard of. */
  readonly nextSeq: number | null;
  readonly note: SaltpeterNote | null;
}

type Row = {
  run: string;
  instance: string;
  machine: string;
  runKey: string;
  nextSeq: number | null;
  note: SaltpeterNote | null;
};

const SELECT = `SELECT run, instance, machine, run_key AS "runKey", next_seq AS "nextSeq", note FROM saltpeter_runs`;

export class SaltpeterRuns {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get(run: string): SaltpeterRun | null {
    return this.#sql.exec<Row>(`${SELECT} WHERE run = ?`, run).toArray()[0] ?? null;
  }

  /** The newest run of an instance on a machine. */
  newest({ instance, machine }: Pick<RunRecord, 'instance' | 'machine'>): SaltpeterRun | null {
    const query = `${SELECT} WHERE instance = ? AND machine = ? ORDER BY run DESC LIMIT 1`;
    return this.#sql.exec<Row>(query, instance, machine).toArray()[0] ?? null;
  }

  insert({ run, instance, machine, runKey, nextSeq, note }: SaltpeterRun): void {
    this.#sql.exec(
      'INSERT INTO saltpeter_runs (run, instance, machine, run_key, next_seq, note) VALUES (?, ?, ?, ?, ?, ?)',
      run,
      instance,
      machine,
      runKey,
      nextSeq,
      note,
    );
  }

  /** Output has arrived. */
  advance({ run }: SaltpeterRun, nextSeq: number, note: SaltpeterNote | null): void {
    this.#sql.exec('UPDATE saltpeter_runs SET next_seq = ?, note = ? WHERE run = ?', nextSeq, note, run);
  }

  remove(run: string): void {
    this.#sql.exec('DELETE FROM saltpeter_runs WHERE run = ?', run);
  }
}

/** What the index has made of the runs that it was told. */
import type { Run } from '#protocol/api';
import type { IndexedRun, RunIdConflict } from '../../shared/d1/run-id-conflicts.ts';
import type { NamesakeRun } from '../../shared/rpc/d1-gateway.ts';

/** Those that the index has as they were told: what it has in a newer state is no news. */
export function takenRuns(told: readonly Run[], rows: readonly IndexedRun[]): Run[] {
  const seqs = new Map(rows.map(({ job, id, seq }) => [`${job}/${id}`, seq]));
  return told.filter(({ job, id, seq }) => seqs.get(`${job}/${id}`) === seq);
}

/** Those whose id another job had reported before. */
export function secondOnes(rows: readonly IndexedRun[]): RunIdConflict[] {
  return rows.flatMap(({ id, job, machine, otherJob, otherMachine, isSecond }) =>
    isSecond === 1 && otherJob !== null && otherMachine !== null
      ? [{ id, job, machine, first: { job: otherJob, machine: otherMachine } }]
      : [],
  );
}

/** Whose runs have the id of one of a job's. */
export function namesakesOf(job: string, rows: readonly IndexedRun[]): NamesakeRun[] {
  return rows.flatMap((row) =>
    row.job === job && row.otherJob !== null ? [{ run: row.id, otherJob: row.otherJob }] : [],
  );
}
